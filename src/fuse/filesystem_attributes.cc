// Attributes, plain and extended, of topics and partitions.
#include <cerrno>

#include "fuse/filesystem.h"

namespace topicfs::fuse {
namespace {

constexpr int64_t kStatBlockBytes = 512;  // st_blocks counts these; stat(2)
constexpr mode_t kWriteBits = 0222;
constexpr std::string_view kSettingPrefix = "user.kafka.";
constexpr std::string_view kAclPrefix = "system.posix_acl_";
constexpr std::string_view kNamespaces[] = {"user.", "trusted.", "security.", "system."};

timespec to_timespec(WallMilliseconds time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {seconds.count(), std::chrono::nanoseconds(time - seconds).count()};
}

struct stat with_times(struct stat s, WallMilliseconds modified, WallMilliseconds changed) {
  s.st_mtim = s.st_atim = to_timespec(modified);  // reads are not written down
  s.st_ctim = to_timespec(changed);
  s.st_blksize = kBlockSizeBytes;
  return s;
}

struct stat of_kind(Inode inode, mode_t kind, const Ownership& ownership) {
  struct stat s {};
  s.st_ino = inode;
  s.st_mode = kind | ownership.mode;
  s.st_nlink = kind == S_IFDIR ? 2 : 1;
  s.st_uid = ownership.uid;
  s.st_gid = ownership.gid;
  return s;
}

/// What an open descriptor sees of a topic or partition that has been deleted.
struct stat deleted(Inode inode, mode_t kind) {
  struct stat s = of_kind(inode, kind, {0, 0, 0});
  s.st_nlink = 0;
  return s;
}

bool has_namespace(std::string_view name) {
  for (auto prefix : kNamespaces)
    if (name.starts_with(prefix)) return true;
  return false;
}

}  // namespace

struct stat Filesystem::control_attributes(Inode inode) {
  const bool file = inode == kStatusInode;
  struct stat s = of_kind(inode, file ? S_IFREG : S_IFDIR, options_.root);
  if (inode == kControlDirInode) s.st_mode = S_IFDIR | 0555;
  if (file) {
    s.st_mode = S_IFREG | 0444;
    s.st_size = status_size_.load();
  }
  return with_times(s, started_, started_);
}

struct stat Filesystem::topic_attributes(const TopicInfo& topic) {
  WallMilliseconds modified = topic.partitions.empty() ? topic.created : topic.partitions.back().created;
  {
    MutexLock lock(mutex_);
    auto set = topic_times_.find(topic.number);
    if (set != topic_times_.end() && set->second.partitions == topic.partitions.size())
      modified = set->second.modified;
  }
  return with_times(of_kind(inode_of(topic.number), S_IFDIR, topic.ownership), modified,
                    std::max(topic.changed, topic.created));
}

struct stat Filesystem::partition_attributes(const PartitionInfo& info, const PartitionEnds& ends,
                                             Inode inode) {
  struct stat s = of_kind(inode, S_IFREG, info.ownership);
  if (meaning_of(inode).kind == InodeKind::follow) s.st_mode &= ~kWriteBits;
  s.st_size = ends.text_end.v;
  s.st_blocks = (ends.retained_bytes + kStatBlockBytes - 1) / kStatBlockBytes;
  const WallMilliseconds modified = std::max(ends.modified, WallMilliseconds{0});
  const bool ever = modified.count() != 0;
  return with_times(s, ever ? modified : info.created, std::max({info.changed, info.created, modified}));
}

Answer<struct stat> Filesystem::attributes(Inode inode, OpenFile* file) {
  const InodeMeaning what = meaning_of(inode);
  switch (what.kind) {
    case InodeKind::root:
    case InodeKind::control_dir:
      return control_attributes(inode);
    case InodeKind::status: {
      struct stat s = control_attributes(inode);
      if (file && file->snapshot) s.st_size = static_cast<off_t>(file->snapshot->size());
      return s;
    }
    case InodeKind::topic:
      if (TopicPtr topic = engine_.find_topic(what.topic())) return topic_attributes(*topic);
      return deleted(inode, S_IFDIR);
    case InodeKind::partition:
    case InodeKind::follow: {
      const auto place = engine_.find_partition(what.partition());
      const auto ends = engine_.ends(what.partition());
      if (!place || !ends) return deleted(inode, S_IFREG);
      struct stat s =
          partition_attributes(place->topic->partitions[static_cast<size_t>(place->index)], *ends, inode);
      if (file && file->writer) s.st_size += static_cast<off_t>(file->writer->unfinished_size());
      return s;
    }
    case InodeKind::unknown:
      return refuse(ESTALE);
  }
  return refuse(ESTALE);
}

Answer<void> Filesystem::check_size(Inode inode, int64_t size, OpenFile* file) {
  const auto now = attributes(inode, file);
  if (!now) return tl::unexpected(now.error());
  if (S_ISDIR(now->st_mode)) return refuse(EISDIR);
  if (now->st_size == size && meaning_of(inode).kind == InodeKind::partition) return {};
  return refuse(EPERM);
}

void Filesystem::set_attributes(Inode inode, AttributeChange change, OpenFile* file,
                                Reply<struct stat> reply) {
  if (change.size)
    if (auto allowed = check_size(inode, *change.size, file); !allowed)
      return reply(tl::unexpected(allowed.error()));
  const bool owns = change.mode || change.uid || change.gid;
  if (!owns && !change.modified) return reply(attributes(inode, file));

  const InodeMeaning what = meaning_of(inode);
  if (what.kind != InodeKind::topic && what.kind != InodeKind::partition) return reply(refuse(EPERM));
  if (!owns) return set_modified(inode, *change.modified, std::move(reply));

  auto then = [this, inode, modified = change.modified,
               reply = std::move(reply)](Result<TopicPtr> done) mutable {
    if (!done) return reply(refuse(done.error()));
    if (modified) return set_modified(inode, *modified, std::move(reply));
    reply(attributes(inode));
  };
  if (change.mode) *change.mode &= 07777;
  const OwnershipChange ownership{change.uid, change.gid, change.mode};
  if (what.kind == InodeKind::partition)
    return engine_.change_ownership(what.partition(), ownership, std::move(then));
  const TopicPtr topic = engine_.find_topic(what.topic());
  if (!topic) return then(fail(Errc::kNotFound, "the topic has been deleted"));
  engine_.change_ownership(topic->id, ownership, std::move(then));
}

void Filesystem::set_modified(Inode inode, WallMilliseconds modified, Reply<struct stat> reply) {
  const InodeMeaning what = meaning_of(inode);
  if (what.kind == InodeKind::topic) {
    const TopicPtr topic = engine_.find_topic(what.topic());
    if (!topic) return reply(refuse(ENOENT));
    {
      MutexLock lock(mutex_);
      topic_times_[topic->number] = {modified, topic->partitions.size()};
    }
    return reply(attributes(inode));
  }
  engine_.set_modified(what.partition(), modified,
                       [this, inode, reply = std::move(reply)](Result<void> done) mutable {
                         if (done)
                           reply(attributes(inode));
                         else
                           reply(refuse(done.error()));
                       });
}

Answer<struct statvfs> Filesystem::space() {
  struct statvfs space {};
  if (::statvfs(options_.space_path.c_str(), &space) != 0) return refuse(errno);
  space.f_namemax = kMaxNameBytes;
  return space;
}

// ---- extended attributes

Answer<std::string> Filesystem::xattr(Inode inode, std::string_view name) {
  if (name.starts_with(kAclPrefix) || !has_namespace(name)) return refuse(EOPNOTSUPP);
  const InodeMeaning what = meaning_of(inode);
  if (what.kind == InodeKind::topic && name.starts_with(kSettingPrefix)) {
    const TopicPtr topic = engine_.find_topic(what.topic());
    if (!topic) return refuse(ENOENT);
    auto setting = topic->settings.find(name.substr(kSettingPrefix.size()));
    if (setting != topic->settings.end()) return setting->second;
  }
  return refuse(ENODATA);
}

Answer<std::string> Filesystem::xattr_names(Inode inode) {
  std::string names;
  const InodeMeaning what = meaning_of(inode);
  if (what.kind != InodeKind::topic) return names;
  const TopicPtr topic = engine_.find_topic(what.topic());
  if (!topic) return refuse(ENOENT);
  for (auto& [name, value] : topic->settings) {
    names += kSettingPrefix;
    names += name;
    names += '\0';
  }
  return names;
}

void Filesystem::set_xattr(Inode inode, std::string_view name, std::optional<std::string> value,
                           Reply<void> reply) {
  // EOPNOTSUPP, or cp -p, mv and install complain and leave a wrong mode.
  if (name.starts_with(kAclPrefix) || !has_namespace(name)) return reply(refuse(EOPNOTSUPP));
  const InodeMeaning what = meaning_of(inode);
  if (what.kind != InodeKind::topic) return reply(refuse(EPERM));
  if (!name.starts_with(kSettingPrefix)) return reply(refuse(value ? EOPNOTSUPP : ENODATA));
  const TopicPtr topic = engine_.find_topic(what.topic());
  if (!topic) return reply(refuse(ENOENT));
  const std::string setting(name.substr(kSettingPrefix.size()));
  if (!value && !topic->settings.contains(setting)) return reply(refuse(ENODATA));
  engine_.change_settings(topic->id, {{setting, std::move(value)}},
                          [reply = std::move(reply)](Result<TopicPtr> changed) mutable {
                            if (changed)
                              reply({});
                            else
                              reply(refuse(changed.error()));
                          });
}

}  // namespace topicfs::fuse
