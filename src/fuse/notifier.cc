#include "fuse/notifier.h"

#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/standard_streams.h"

namespace topicfs::fuse {
namespace {

/// Gives the calling thread a table of descriptors of its own that has none of the mount. When the daemon is killed, the
/// kernel ends the mount as the last table with /dev/fuse goes; a thread that waits for an answer of its own mount would
/// keep its table, wait for ever, and so would everybody else who uses the mount. Nor does it hold the input and output that
/// the daemon may yet let go of.
void let_go_of_the_mount() {
  if (::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_UNSHARE) != 0)
    return LOG_WARNING("a kill of this daemon may leave its mount hanging until umount -f: close_range: {}", std::strerror(errno));
  give_up_input_and_output();
}

}  // namespace

Notifier::Notifier(Engine& engine, LowLevel& low_level, Session& session, std::string mountpoint)
    : engine_(engine),
      low_level_(low_level),
      session_(session),
      mountpoint_(std::move(mountpoint)),
      invalidator_("topicfs-inval", low_level.clock),
      toucher_("topicfs-touch", low_level.clock) {
  toucher_.post([this] {
    let_go_of_the_mount();
    low_level_.toucher = ::gettid();
  });
  engine_.add_listener(this);
}

Notifier::~Notifier() { engine_.remove_listener(this); }

void Notifier::on_topic_deleted(const TopicPtr& topic) {
  low_level_.filesystem.on_topic_deleted(topic);
  invalidator_.post([this, topic] {
    fuse_lowlevel_notify_delete(session_.raw(), kRootInode, inode_of(topic->number), topic->name.c_str(),
                                topic->name.size());  // fails where the kernel knows no such name
  });
}

void Notifier::on_visible(PartitionId partition) {
  low_level_.filesystem.on_visible(partition);
  if (OwnAppend::is_to(partition)) return;
  auto node = low_level_.filesystem.nodes().find(partition);
  if (!node || node->grown.exchange(true)) return;
  MutexLock lock(mutex_);
  grown_.push_back(std::move(node));
  if (scheduled_) return;
  scheduled_ = true;
  const MonotonicTime when = std::max(low_level_.clock.now() + kTouchDelay, not_before_);
  lock.unlock();
  toucher_.at(when, [this] { touch_grown(); });
}

void Notifier::touch_grown() {
  std::vector<std::shared_ptr<Node>> nodes;
  {
    MutexLock lock(mutex_);
    nodes.swap(grown_);
    scheduled_ = false;
  }
  const MonotonicTime start = low_level_.clock.now();
  for (auto& node : nodes) touch(*node);
  const MonotonicTime end = low_level_.clock.now();
  MutexLock lock(mutex_);
  not_before_ = end + (kTouchShare - 1) * (end - start);
}

void Notifier::touch(Node& node) {
  node.grown = false;  // before the look: what comes later enters the list again
  const auto ends = engine_.ends(node.id);
  if (!ends || ends->text_end.v <= std::max(node.own_end.load(), node.told_end.load())) return;
  node.told_end = ends->text_end.v;
  const auto place = engine_.find_partition(node.id);
  if (!place) return;
  // By path: an open descriptor would keep the mount busy.
  const std::string path = mountpoint_ + "/" + place->topic->name + "/" + partition_name(place->index);
  const timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
  ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

}  // namespace topicfs::fuse
