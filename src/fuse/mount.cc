#include "fuse/mount.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/log.h"
#include "fuse/mountpoint.h"
#include "fuse/notifier.h"

namespace topicfs::fuse {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kMinThreads = 2, kMaxThreads = 8;  // beyond that, more threads only contend

}  // namespace

Mount::Mount(MountOptions options, Engine& engine, Executor& executor, Clock& clock)
    : options_(std::move(options)),
      ahead_("topicfs-ahead", clock),
      filesystem_(options_.filesystem, engine, executor, ahead_, clock),
      low_level_{filesystem_, clock, {std::thread::hardware_concurrency() > 1 ? options_.busy_poll : 0us, clock}} {}

Mount::~Mount() { shut_down(); }

Result<std::unique_ptr<Mount>> Mount::start(MountOptions options, Engine& engine, Executor& executor,
                                            Clock& clock) {
  TRY_ASSIGN(options.mountpoint, prepare_mountpoint(options.mountpoint));
  if (options.filesystem.space_path.empty()) options.filesystem.space_path.assign(1, '/');
  if (options.threads == 0)
    options.threads = std::clamp(std::thread::hardware_concurrency(), kMinThreads, kMaxThreads);
  std::unique_ptr<Mount> mount(new Mount(std::move(options), engine, executor, clock));
  const MountOptions& o = mount->options_;
  TRY_ASSIGN(mount->session_,
             Session::start({o.mountpoint, o.source, o.allow_other.value_or(may_allow_other()), o.threads, o.kernel_options},
                            mount->low_level_));
  mount->notifier_ = std::make_unique<Notifier>(engine, mount->low_level_, *mount->session_, o.mountpoint);
  LOG_INFO("mounted at {}", o.mountpoint);
  return mount;
}

void Mount::wait() {
  session_->wait();
  shut_down();
}

void Mount::request_stop() { session_->request_stop(); }

void Mount::shut_down() {
  notifier_.reset();  // its threads need the session to end
  if (session_) session_->stop([this] { filesystem_.stop(); });
}

}  // namespace topicfs::fuse
