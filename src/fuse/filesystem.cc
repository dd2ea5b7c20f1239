// Names and directories; attributes are in filesystem_attributes.cc, open files in filesystem_io.cc.
#include "fuse/filesystem.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace topicfs::fuse {
namespace {

constexpr uint32_t kPermissionBits = 07777;

/// The group of what is made in a directory: its own, or the directory's if that says so (S_ISGID).
uint32_t group_for(const Ownership& parent, const Caller& caller) {
  return parent.mode & S_ISGID ? parent.gid : caller.gid;
}

}  // namespace

Filesystem::Filesystem(FilesystemOptions options, Engine& engine, Executor& executor, Executor& ahead, Clock& clock)
    : options_(std::move(options)),
      engine_(engine),
      clock_(clock),
      started_(clock.wall_now()),
      writers_(new WriterContext{engine, executor, clock, options_.unfinished_timeout}),
      followers_(std::make_shared<Followers>(executor)),
      ahead_(new AheadContext{engine, ahead, clock}) {}

Filesystem::~Filesystem() = default;

// ---- names

Answer<Entry> Filesystem::lookup(Inode parent, std::string_view name) {
  if (name.size() > kMaxNameBytes) return refuse(ENAMETOOLONG);
  const InodeMeaning where = meaning_of(parent);
  switch (where.kind) {
    case InodeKind::root:
      if (name == kControlDirName) return Entry{kControlDirInode, control_attributes(kControlDirInode)};
      if (TopicPtr topic = engine_.find_topic(name)) return topic_entry(*topic);
      return refuse(ENOENT);
    case InodeKind::control_dir:
      if (name == kStatusName) return Entry{kStatusInode, control_attributes(kStatusInode)};
      return refuse(ENOENT);
    case InodeKind::topic: {
      const auto parsed = parse_partition_name(name);
      if (!parsed) return refuse(ENOENT);
      TopicPtr topic = engine_.find_topic(where.topic());
      if (!topic || static_cast<size_t>(parsed->index) >= topic->partitions.size()) return refuse(ENOENT);
      return partition_entry(topic, parsed->index, parsed->follow);
    }
    case InodeKind::status:
    case InodeKind::partition:
    case InodeKind::follow:
      return refuse(ENOTDIR);
    case InodeKind::unknown:
      return refuse(ESTALE);
  }
  return refuse(ESTALE);
}

void Filesystem::forget(Inode inode, uint64_t lookups) {
  const InodeMeaning what = meaning_of(inode);
  if (what.kind == InodeKind::partition) nodes_.forget(what.partition(), lookups);
}

Entry Filesystem::topic_entry(const TopicInfo& topic) {
  return {inode_of(topic.number), topic_attributes(topic)};
}

Answer<Entry> Filesystem::partition_entry(const TopicPtr& topic, int32_t index, bool follow) {
  const PartitionInfo& info = topic->partitions[static_cast<size_t>(index)];
  const auto ends = engine_.ends(info.id);
  if (!ends) return refuse(ends.error());
  const Inode inode = follow ? follow_inode_of(info.id) : inode_of(info.id);
  if (!follow) nodes_.remember(info.id);
  return Entry{inode, partition_attributes(info, *ends, inode)};
}

void Filesystem::mkdir(Inode parent, std::string_view name, mode_t mode, Caller caller, Reply<Entry> reply) {
  if (name.size() > kMaxNameBytes) return reply(refuse(ENAMETOOLONG));
  if (parent != kRootInode) return reply(refuse(EPERM));  // only partitions live in a topic
  if (name == kControlDirName || engine_.find_topic(name)) return reply(refuse(EEXIST));
  if (!is_valid_topic_name(name)) return reply(refuse(EINVAL));
  NewTopic topic;
  topic.name = name;
  topic.partitions = options_.default_partitions;
  topic.ownership = {caller.uid, group_for(options_.root, caller), mode & kPermissionBits};
  topic.partition_ownership = {caller.uid, group_for(topic.ownership, caller), 0666 & ~caller.umask};
  engine_.create_topic(std::move(topic), [this, reply = std::move(reply)](Result<TopicPtr> made) mutable {
    if (made)
      reply(topic_entry(**made));
    else
      reply(refuse(made.error()));
  });
}

void Filesystem::make_partition(Inode parent, std::string_view name, mode_t mode, Caller caller,
                                Reply<Entry> reply) {
  if (name.size() > kMaxNameBytes) return reply(refuse(ENAMETOOLONG));
  const InodeMeaning where = meaning_of(parent);
  if (where.kind != InodeKind::topic) return reply(refuse(EPERM));  // only topics live in the root
  const TopicPtr topic = engine_.find_topic(where.topic());
  if (!topic) return reply(refuse(ENOENT));
  const auto parsed = parse_partition_name(name);
  if (!parsed || parsed->follow) return reply(refuse(EPERM));
  const auto count = static_cast<int32_t>(topic->partitions.size());
  if (parsed->index < count) return reply(refuse(EEXIST));
  if (parsed->index > count) return reply(refuse(EINVAL));
  const Ownership ownership{caller.uid, group_for(topic->ownership, caller), mode & kPermissionBits};
  engine_.add_partitions(topic->id, count + 1, ownership,
                         [this, index = count, reply = std::move(reply)](Result<TopicPtr> grown) mutable {
                           if (!grown)
                             reply(refuse(grown.error()));
                           else
                             reply(partition_entry(*grown, index, false));
                         });
}

void Filesystem::create(Inode parent, std::string_view name, mode_t mode, int flags, Caller caller,
                        Reply<Created> reply) {
  make_partition(parent, name, mode, caller,
                 [this, flags, reply = std::move(reply)](Answer<Entry> made) mutable {
                   if (!made) {
                     const bool lost_a_race = made.error().value == EEXIST && !(flags & O_EXCL);
                     return reply(refuse(lost_a_race ? ESTALE : made.error().value));
                   }
                   // It has just been born empty: whatever the flags say of data does not matter.
                   const Entry entry = *made;
                   open(entry.inode, flags & ~O_TRUNC,
                        [entry, reply = std::move(reply)](Answer<OpenFile*> file) mutable {
                          if (file)
                            reply(Created{entry, *file});
                          else
                            reply(tl::unexpected(file.error()));
                        });
                 });
}

void Filesystem::rmdir(Inode parent, std::string_view name, Reply<void> reply) {
  if (parent != kRootInode) return reply(refuse(ENOTDIR));
  if (name == kControlDirName) return reply(refuse(EPERM));
  const TopicPtr topic = engine_.find_topic(name);
  if (!topic) return reply(refuse(ENOENT));
  engine_.delete_topic(topic->id, OnlyEmpty::yes, [reply = std::move(reply)](Result<void> deleted) mutable {
    if (deleted)
      reply({});
    else
      reply(refuse(deleted.error()));
  });
}

void Filesystem::on_topic_deleted(const TopicPtr& topic) {
  MutexLock lock(mutex_);
  topic_times_.erase(topic->number);
}

// ---- directories. A cookie is a number that its entry always has, so a listing can go on anywhere
// while topics and partitions come and go.

namespace {

constexpr int64_t kDotCookie = 1, kDotDotCookie = 2, kControlCookie = 3, kFirstCookie = 16;

int64_t topic_cookie(TopicNumber number) { return kFirstCookie + int64_t{number.v}; }
int64_t partition_cookie(size_t index) { return kFirstCookie + static_cast<int64_t>(index); }

}  // namespace

Answer<OpenDir*> Filesystem::opendir(Inode inode) {
  auto dir = std::make_unique<OpenDir>();
  dir->inode = inode;
  return dirs_.add(std::move(dir));
}

void Filesystem::closedir(OpenDir* dir) { dirs_.remove(dir); }

void Filesystem::list(OpenDir& dir, int64_t cookie, const std::function<bool(const Listed&)>& take) {
  const InodeMeaning what = meaning_of(dir.inode);
  const Inode up = kRootInode;  // nothing is deeper than two
  if (cookie < kDotCookie && !take({".", dir.inode, S_IFDIR, kDotCookie})) return;
  if (cookie < kDotDotCookie && !take({"..", up, S_IFDIR, kDotDotCookie})) return;
  if (what.kind == InodeKind::control_dir) {
    if (cookie < kFirstCookie) take({std::string(kStatusName), kStatusInode, S_IFREG, kFirstCookie});
    return;
  }
  if (what.kind == InodeKind::topic) {
    const TopicPtr topic = engine_.find_topic(what.topic());
    if (!topic) return;
    for (size_t i = static_cast<size_t>(std::max<int64_t>(0, cookie - kFirstCookie + 1));
         i < topic->partitions.size(); i++)
      if (!take({partition_name(static_cast<int32_t>(i)), inode_of(topic->partitions[i].id), S_IFREG,
                 partition_cookie(i)}))
        return;
    return;
  }
  const Listed control{std::string(kControlDirName), kControlDirInode, S_IFDIR, kControlCookie};
  if (cookie < kControlCookie && !take(control)) return;
  const auto by_number = [](const TopicPtr& a, const TopicPtr& b) { return a->number < b->number; };
  if (cookie < kFirstCookie || dir.topics.empty()) {
    dir.topics = engine_.list_topics();
    std::sort(dir.topics.begin(), dir.topics.end(), by_number);
  }
  auto next = std::partition_point(dir.topics.begin(), dir.topics.end(),
                                   [&](const TopicPtr& t) { return topic_cookie(t->number) <= cookie; });
  for (; next != dir.topics.end(); ++next)
    if (!take({(*next)->name, inode_of((*next)->number), S_IFDIR, topic_cookie((*next)->number)})) return;
}

}  // namespace topicfs::fuse
