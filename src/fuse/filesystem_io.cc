// Open files.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "fuse/filesystem.h"

namespace topicfs::fuse {
namespace {

bool reads(int flags) { return (flags & O_ACCMODE) == O_RDONLY || (flags & O_ACCMODE) == O_RDWR; }
bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }

}  // namespace

void Filesystem::open(Inode inode, int flags, Reply<OpenFile*> reply) {
  const InodeMeaning what = meaning_of(inode);
  switch (what.kind) {
    case InodeKind::partition:
    case InodeKind::follow:
      return open_partition(inode, what.partition(), flags, std::move(reply));
    case InodeKind::status:
      return open_status(flags, std::move(reply));
    case InodeKind::root:
    case InodeKind::control_dir:
    case InodeKind::topic:
      return reply(refuse(EISDIR));
    case InodeKind::unknown:
      return reply(refuse(ESTALE));
  }
}

void Filesystem::open_partition(Inode inode, PartitionId partition, int flags, Reply<OpenFile*> reply) {
  const auto ends = engine_.ends(partition);
  if (!ends) return reply(refuse(ends.error()));
  const bool follow = meaning_of(inode).kind == InodeKind::follow;
  const bool has_data = ends->text_end.v > 0;
  if (follow && writes(flags)) return reply(refuse(EPERM));
  if (has_data && ((writes(flags) && !(flags & O_APPEND)) || (flags & O_TRUNC))) return reply(refuse(EPERM));

  auto file = std::make_unique<OpenFile>();
  file->inode = inode;
  file->partition = partition;
  if (reads(flags))
    file->reader = std::make_shared<FileReader>(engine_, followers_, ahead_, partition, options_.deleted,
                                                follow ? FileReader::AtEnd::wait : FileReader::AtEnd::answer);
  if (writes(flags)) {
    auto node = nodes_.find(partition);
    if (!node) node = std::make_shared<Node>(partition);  // forgotten since; nobody watches it then
    file->writer = std::make_shared<FileWriter>(writers_, std::move(node));
  }
  reply(files_.add(std::move(file)));
}

void Filesystem::open_status(int flags, Reply<OpenFile*> reply) {
  if (writes(flags) || (flags & O_TRUNC)) return reply(refuse(EPERM));
  engine_.status([this, reply = std::move(reply)](Result<std::string> status) mutable {
    if (!status) return reply(refuse(status.error()));
    if (!status->ends_with('\n')) *status += '\n';
    auto file = std::make_unique<OpenFile>();
    file->inode = kStatusInode;
    file->snapshot = std::make_shared<const std::string>(std::move(*status));
    status_size_ = static_cast<int64_t>(file->snapshot->size());
    reply(files_.add(std::move(file)));
  });
}

void Filesystem::write(OpenFile& file, const WriteRequest& request, Interrupt interrupt,
                       Reply<size_t> reply) {
  if (!file.writer) return reply(refuse(EBADF));
  file.writer->write(request, interrupt, std::move(reply));
}

void Filesystem::read(OpenFile& file, const ReadRequest& request, Interrupt interrupt, Reply<Bytes> reply) {
  if (file.reader) return file.reader->read(request, interrupt, std::move(reply));
  if (!file.snapshot) return reply(refuse(EBADF));
  const ByteSpan all = as_byte_span(*file.snapshot);
  const size_t from = std::min(static_cast<size_t>(request.offset), all.size());
  const ByteSpan part = all.subspan(from, std::min(request.size, all.size() - from));
  reply(Bytes{{part}, part.size(), file.snapshot});
}

void Filesystem::flush(OpenFile& file, Interrupt interrupt, Reply<size_t> reply) {
  if (!file.writer) return reply(size_t{0});
  file.writer->flush(interrupt, std::move(reply));
}

void Filesystem::sync(OpenFile& file, Interrupt interrupt, Reply<size_t> reply) {
  if (file.writer) return file.writer->sync(interrupt, std::move(reply));
  if (!file.reader) return reply(size_t{0});
  engine_.sync(file.partition, [reply = std::move(reply)](Result<void> synced) mutable {
    if (synced)
      reply(size_t{0});
    else
      reply(refuse(synced.error()));
  });
}

void Filesystem::release(OpenFile* file) {
  if (auto owned = files_.remove(file); owned && owned->writer) owned->writer->release();
}

Answer<int64_t> Filesystem::seek(OpenFile& file, int64_t offset, int whence) {
  if (options_.deleted == Deleted::skip || !file.reader) return refuse(ENOSYS);
  const auto ends = engine_.ends(file.partition);
  if (!ends) return refuse(ends.error());
  if (offset < 0 || offset >= ends->text_end.v) return refuse(ENXIO);
  if (whence == SEEK_DATA) return std::max(offset, ends->text_start.v);
  if (whence == SEEK_HOLE) return offset < ends->text_start.v ? offset : ends->text_end.v;
  return refuse(EINVAL);
}

void Filesystem::interrupt(Waiting what, uint64_t number) {
  Executor& executor = writers_->executor;
  switch (what) {
    case Waiting::append:
      return executor.post([&engine = engine_, number] { engine.cancel(number); });
    case Waiting::read:
      return executor.post([followers = followers_, number] { followers->call_off(number); });
  }
}

void Filesystem::stop() {
  followers_->stop();
  for (auto& file : files_.remove_all())
    if (file->writer) file->writer->release();
}

}  // namespace topicfs::fuse
