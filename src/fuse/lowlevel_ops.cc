#include "fuse/lowlevel_ops.h"

#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "base/lent_thread.h"

namespace topicfs::fuse {
namespace {

// More pieces than writev(2) takes, or pieces so small that copying them is cheaper, are gathered.
constexpr size_t kMaxReplyPieces = 256;
constexpr size_t kMinPieceBytes = 512;
// With more to copy, what it takes to wake a thread counts for little, and another thread has better uses for its processor.
constexpr size_t kMostPolledBytes = 16 << 10;
constexpr unsigned kMaxBackgroundRequests = 64;  // of asynchronous I/O and read-ahead

LowLevel& low_level(fuse_req_t req) { return *static_cast<LowLevel*>(fuse_req_userdata(req)); }
Filesystem& filesystem(fuse_req_t req) { return low_level(req).filesystem; }
OpenFile* file_of(const fuse_file_info* fi) { return fi ? reinterpret_cast<OpenFile*>(fi->fh) : nullptr; }
OpenDir* dir_of(const fuse_file_info* fi) { return reinterpret_cast<OpenDir*>(fi->fh); }

Caller caller_of(fuse_req_t req) {
  const fuse_ctx* context = fuse_req_ctx(req);
  return {context->uid, context->gid, context->umask};
}

/// A request that may be answered later, by another thread: copied into completions, answered once.
class Pending {
 public:
  explicit Pending(fuse_req_t req) : req_(req) { low_level(req).outstanding++; }
  /// `reply` sends the answer. `lost` undoes what the kernel was not told of, because the request was
  /// interrupted (libfuse says -ENOENT then) or the connection has ended.
  template <class F, class G>
  void answer(F&& reply, G&& lost) const {
    LowLevel& low = low_level(req_);
    if (reply(req_) != 0) lost(low.filesystem);
    low.outstanding--;  // the last touch: the mount may be waiting for it to end
  }
  template <class F>
  void answer(F&& reply) const {
    answer(reply, [](Filesystem&) {});
  }
  void fail(Errno error) const {
    answer([&](fuse_req_t req) { return fuse_reply_err(req, error.value); });
  }

 private:
  fuse_req_t req_;
};

void takes_long(fuse_req_t req) { low_level(req).busy_poll.takes_long(); }

// ---- interrupts. libfuse calls these with the request locked, perhaps while it is being armed.

template <Waiting what>
void on_interrupt(fuse_req_t req, void* number) {
  filesystem(req).interrupt(what, reinterpret_cast<uint64_t>(number));
}

void arm(void* request, Waiting what, uint64_t number) {
  fuse_req_interrupt_func(
      static_cast<fuse_req_t>(request),
      what == Waiting::append ? on_interrupt<Waiting::append> : on_interrupt<Waiting::read>,
      reinterpret_cast<void*>(number));
}

Interrupt interrupt_of(fuse_req_t req) { return {req, arm}; }

// ---- names

fuse_entry_param entry_param(const Entry& entry) {
  fuse_entry_param e{};
  e.ino = entry.inode;
  e.attr = entry.attributes;
  e.entry_timeout = kEntryTimeoutSeconds;
  return e;  // attr_timeout 0: sizes are never stale
}

void reply_entry(Pending pending, const Answer<Entry>& entry) {
  if (!entry) return pending.fail(entry.error());
  const fuse_entry_param e = entry_param(*entry);
  pending.answer([&](fuse_req_t req) { return fuse_reply_entry(req, &e); },
                 [&](Filesystem& fs) { fs.forget(entry->inode, 1); });
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char* name) {
  reply_entry(Pending(req), filesystem(req).lookup(parent, name));
}

void op_forget(fuse_req_t req, fuse_ino_t inode, uint64_t lookups) {
  filesystem(req).forget(inode, lookups);
  fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, fuse_forget_data* forgets) {
  for (size_t i = 0; i < count; i++) filesystem(req).forget(forgets[i].ino, forgets[i].nlookup);
  fuse_reply_none(req);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  filesystem(req).mkdir(parent, name, mode, caller_of(req),
                        [pending = Pending(req)](Answer<Entry> entry) { reply_entry(pending, entry); });
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t) {
  if (!S_ISREG(mode)) return void(fuse_reply_err(req, EPERM));
  filesystem(req).make_partition(
      parent, name, mode, caller_of(req),
      [pending = Pending(req)](Answer<Entry> entry) { reply_entry(pending, entry); });
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char* name) {
  filesystem(req).rmdir(parent, name, [pending = Pending(req)](Answer<void> done) {
    pending.fail(done ? Errno{0} : done.error());
  });
}

// A log's names stay: as under chattr +a. Explicitly, because libfuse's own answer is ENOSYS.
void op_unlink(fuse_req_t req, fuse_ino_t, const char*) { fuse_reply_err(req, EPERM); }
void op_rename(fuse_req_t req, fuse_ino_t, const char*, fuse_ino_t, const char*, unsigned) {
  fuse_reply_err(req, EPERM);
}
void op_link(fuse_req_t req, fuse_ino_t, fuse_ino_t, const char*) { fuse_reply_err(req, EPERM); }
void op_symlink(fuse_req_t req, const char*, fuse_ino_t, const char*) { fuse_reply_err(req, EPERM); }
void op_fallocate(fuse_req_t req, fuse_ino_t, int, off_t, off_t, fuse_file_info*) {
  fuse_reply_err(req, EOPNOTSUPP);
}

// ---- attributes

void reply_attributes(Pending pending, const Answer<struct stat>& attributes) {
  if (!attributes) return pending.fail(attributes.error());
  pending.answer([&](fuse_req_t req) { return fuse_reply_attr(req, &*attributes, 0); });
}

void op_getattr(fuse_req_t req, fuse_ino_t inode, fuse_file_info* fi) {
  reply_attributes(Pending(req), filesystem(req).attributes(inode, file_of(fi)));
}

WallMilliseconds to_wall(const timespec& time) {
  return std::chrono::floor<WallMilliseconds>(std::chrono::seconds(time.tv_sec) +
                                              std::chrono::nanoseconds(time.tv_nsec));
}

void op_setattr(fuse_req_t req, fuse_ino_t inode, struct stat* to, int what, fuse_file_info* fi) {
  LowLevel& low = low_level(req);
  AttributeChange change;
  if (what & FUSE_SET_ATTR_MODE) change.mode = to->st_mode;
  if (what & FUSE_SET_ATTR_UID) change.uid = to->st_uid;
  if (what & FUSE_SET_ATTR_GID) change.gid = to->st_gid;
  if (what & FUSE_SET_ATTR_SIZE) change.size = to->st_size;
  const bool our_touch = fuse_req_ctx(req)->pid == low.toucher.load();
  if ((what & FUSE_SET_ATTR_MTIME) && !our_touch)
    change.modified = what & FUSE_SET_ATTR_MTIME_NOW ? low.clock.wall_now() : to_wall(to->st_mtim);
  low.filesystem.set_attributes(
      inode, change, file_of(fi),
      [pending = Pending(req)](Answer<struct stat> now) { reply_attributes(pending, now); });
}

void op_statfs(fuse_req_t req, fuse_ino_t) {
  const auto space = filesystem(req).space();
  if (space)
    fuse_reply_statfs(req, &*space);
  else
    fuse_reply_err(req, space.error().value);
}

void reply_xattr(fuse_req_t req, const Answer<std::string>& value, size_t size) {
  if (!value)
    fuse_reply_err(req, value.error().value);
  else if (size == 0)
    fuse_reply_xattr(req, value->size());
  else if (value->size() > size)
    fuse_reply_err(req, ERANGE);
  else
    fuse_reply_buf(req, value->data(), value->size());
}

void op_getxattr(fuse_req_t req, fuse_ino_t inode, const char* name, size_t size) {
  reply_xattr(req, filesystem(req).xattr(inode, name), size);
}

void op_listxattr(fuse_req_t req, fuse_ino_t inode, size_t size) {
  reply_xattr(req, filesystem(req).xattr_names(inode), size);
}

void set_xattr(fuse_req_t req, fuse_ino_t inode, const char* name, std::optional<std::string> value) {
  filesystem(req).set_xattr(inode, name, std::move(value), [pending = Pending(req)](Answer<void> done) {
    pending.fail(done ? Errno{0} : done.error());
  });
}

void op_setxattr(fuse_req_t req, fuse_ino_t inode, const char* name, const char* value, size_t size,
                 int flags) {
  if (flags) {
    const auto now = filesystem(req).xattr(inode, name);
    if (now && (flags & XATTR_CREATE)) return void(fuse_reply_err(req, EEXIST));
    if (!now && now.error().value == ENODATA && (flags & XATTR_REPLACE))
      return void(fuse_reply_err(req, ENODATA));
  }
  set_xattr(req, inode, name, std::string(value, size));
}

void op_removexattr(fuse_req_t req, fuse_ino_t inode, const char* name) {
  set_xattr(req, inode, name, std::nullopt);
}

// ---- directories

void op_opendir(fuse_req_t req, fuse_ino_t inode, fuse_file_info* fi) {
  const auto dir = filesystem(req).opendir(inode);
  if (!dir) return void(fuse_reply_err(req, dir.error().value));
  fi->fh = reinterpret_cast<uint64_t>(*dir);
  Filesystem& fs = filesystem(req);
  if (fuse_reply_open(req, fi) == -ENOENT) fs.closedir(*dir);
}

void op_readdir(fuse_req_t req, fuse_ino_t, size_t size, off_t offset, fuse_file_info* fi) {
  std::vector<char> buffer(size);
  size_t used = 0;
  filesystem(req).list(*dir_of(fi), offset, [&](const Listed& listed) {
    struct stat s {};
    s.st_ino = listed.inode;
    s.st_mode = listed.type;
    const size_t needs =
        fuse_add_direntry(req, buffer.data() + used, size - used, listed.name.c_str(), &s, listed.cookie);
    if (needs > size - used) return false;
    used += needs;
    return true;
  });
  fuse_reply_buf(req, buffer.data(), used);
}

void op_releasedir(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
  filesystem(req).closedir(dir_of(fi));
  fuse_reply_err(req, 0);
}

// ---- files

fuse_file_info file_info(OpenFile* file) {
  fuse_file_info fi{};
  fi.fh = reinterpret_cast<uint64_t>(file);
  fi.direct_io = 1;  // the only mode in which no reader sees a zero byte or a stale size
  return fi;
}

void op_open(fuse_req_t req, fuse_ino_t inode, fuse_file_info* fi) {
  filesystem(req).open(inode, fi->flags, [pending = Pending(req)](Answer<OpenFile*> file) {
    if (!file) return pending.fail(file.error());
    const fuse_file_info info = file_info(*file);
    pending.answer([&](fuse_req_t r) { return fuse_reply_open(r, &info); },
                   [&](Filesystem& fs) { fs.release(*file); });
  });
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* fi) {
  filesystem(req).create(parent, name, mode, fi->flags, caller_of(req),
                         [pending = Pending(req)](Answer<Created> created) {
                           if (!created) return pending.fail(created.error());
                           const fuse_file_info info = file_info(created->file);
                           const fuse_entry_param e = entry_param(created->entry);
                           pending.answer([&](fuse_req_t r) { return fuse_reply_create(r, &e, &info); },
                                          [&](Filesystem& fs) {
                                            fs.release(created->file);
                                            fs.forget(created->entry.inode, 1);
                                          });
                         });
}

void reply_bytes(Pending pending, const Bytes& bytes) {
  if (bytes.pieces.size() <= 1 ||
      (bytes.pieces.size() <= kMaxReplyPieces && bytes.size / bytes.pieces.size() >= kMinPieceBytes)) {
    iovec pieces[kMaxReplyPieces];
    size_t count = 0;
    for (ByteSpan piece : bytes.pieces)
      pieces[count++] = {const_cast<std::byte*>(piece.data()), piece.size()};
    pending.answer([&](fuse_req_t req) { return fuse_reply_iov(req, pieces, static_cast<int>(count)); });
    return;
  }
  thread_local std::vector<char> gathered;
  gathered.resize(std::max(gathered.size(), bytes.size));
  size_t at = 0;
  for (ByteSpan piece : bytes.pieces) {
    std::memcpy(gathered.data() + at, piece.data(), piece.size());
    at += piece.size();
  }
  pending.answer([&](fuse_req_t req) { return fuse_reply_buf(req, gathered.data(), at); });
}

Wait wait_of(int flags) { return flags & O_NONBLOCK ? Wait::no : Wait::yes; }

void op_read(fuse_req_t req, fuse_ino_t, size_t size, off_t offset, fuse_file_info* fi) {
  const ReadRequest request{offset, size, wait_of(fi->flags)};
  if (size > kMostPolledBytes) takes_long(req);
  filesystem(req).read(*file_of(fi), request, interrupt_of(req),
                       [pending = Pending(req)](Answer<Bytes> bytes) {
                         if (bytes)
                           reply_bytes(pending, *bytes);
                         else
                           pending.fail(bytes.error());
                       });
}

void op_write(fuse_req_t req, fuse_ino_t, const char* data, size_t size, off_t offset, fuse_file_info* fi) {
  WriteRequest request;
  request.offset = offset;
  request.bytes = as_byte_span({data, size});
  request.append = fi->flags & O_APPEND;
  request.ack = fi->flags & O_DSYNC ? Ack::durable : Ack::buffered;  // O_SYNC includes O_DSYNC's bit
  request.wait = wait_of(fi->flags);
  request.memory = &request_memory;
  std::optional<LentThread> lent;
  if (request.ack == Ack::durable) lent.emplace();
  if (lent || size > kMostPolledBytes) takes_long(req);
  filesystem(req).write(*file_of(fi), request, interrupt_of(req),
                        [pending = Pending(req)](Answer<size_t> taken) {
                          if (taken)
                            pending.answer([&](fuse_req_t r) { return fuse_reply_write(r, *taken); });
                          else
                            pending.fail(taken.error());
                        });
}

Reply<size_t> reply_done(fuse_req_t req) {
  return [pending = Pending(req)](Answer<size_t> done) { pending.fail(done ? Errno{0} : done.error()); };
}

void op_flush(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
  filesystem(req).flush(*file_of(fi), interrupt_of(req), reply_done(req));
}

void op_fsync(fuse_req_t req, fuse_ino_t, int, fuse_file_info* fi) {
  takes_long(req);
  LentThread lent;
  filesystem(req).sync(*file_of(fi), interrupt_of(req), reply_done(req));
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t, int, fuse_file_info*) {
  fuse_reply_err(req, 0);  // changes of the catalog are durable when they are answered
}

void op_release(fuse_req_t req, fuse_ino_t, fuse_file_info* fi) {
  filesystem(req).release(file_of(fi));
  fuse_reply_err(req, 0);
}

void op_lseek(fuse_req_t req, fuse_ino_t, off_t offset, int whence, fuse_file_info* fi) {
  const auto found = filesystem(req).seek(*file_of(fi), offset, whence);
  if (found)
    fuse_reply_lseek(req, *found);
  else
    fuse_reply_err(req, found.error().value);
}

void op_init(void*, fuse_conn_info* connection) {
  connection->max_write = kMaxWriteBytes;
  connection->max_background = kMaxBackgroundRequests;
  // Through a pipe, data would be copied once more; and the kernel clears set-user-ID bits itself.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_HANDLE_KILLPRIV);
}

fuse_lowlevel_ops make_ops() {
  fuse_lowlevel_ops ops{};  // no poll: io_uring readers would hang; no ioctl, no locks: the kernel's
  ops.init = op_init;
  ops.lookup = op_lookup, ops.forget = op_forget, ops.forget_multi = op_forget_multi;
  ops.mkdir = op_mkdir, ops.mknod = op_mknod, ops.rmdir = op_rmdir;
  ops.unlink = op_unlink, ops.rename = op_rename, ops.link = op_link, ops.symlink = op_symlink;
  ops.getattr = op_getattr, ops.setattr = op_setattr, ops.statfs = op_statfs;
  ops.getxattr = op_getxattr, ops.listxattr = op_listxattr;
  ops.setxattr = op_setxattr, ops.removexattr = op_removexattr;
  ops.opendir = op_opendir, ops.readdir = op_readdir, ops.releasedir = op_releasedir,
  ops.fsyncdir = op_fsyncdir;
  ops.open = op_open, ops.create = op_create, ops.read = op_read, ops.write = op_write;
  ops.flush = op_flush, ops.fsync = op_fsync, ops.release = op_release;
  ops.fallocate = op_fallocate, ops.lseek = op_lseek;
  return ops;
}

}  // namespace

const fuse_lowlevel_ops& lowlevel_ops() {
  static const fuse_lowlevel_ops ops = make_ops();
  return ops;
}

}  // namespace topicfs::fuse
