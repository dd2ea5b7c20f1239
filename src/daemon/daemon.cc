#include "daemon/daemon.h"

#include <unistd.h>

#include <future>

#include "base/log.h"
#include "base/random.h"
#include "fuse/mountpoint.h"
#include "object/open_store.h"

namespace topicfs {
namespace {

constexpr int kBackgroundThreads = 2;  // reads of cold data, preparation of segments, gathering of objects

EngineOptions engine_options(const DaemonOptions& o) {
  EngineOptions e;
  e.data_dir = o.data_dir;
  e.wal_segment_bytes = o.wal_segment_bytes;
  e.wal_max_bytes = o.wal_max_bytes;
  e.pool_bytes = o.pool_bytes;
  e.wal_sync_interval = o.wal_sync_interval;
  e.append_timeout = o.append_timeout;
  e.producer_id_expiration = o.producer_id_expiration;
  e.offload_interval = o.offload_interval;
  e.object_bytes = o.object_bytes;
  e.footer_cache_bytes = o.footer_cache_bytes;
  e.block_cache_bytes = o.block_cache_bytes;
  e.max_batch_text = o.max_batch_text_bytes;
  return e;
}

}  // namespace

Daemon::Daemon(const DaemonOptions& options) : options_(options), clock_(system_clock()) {}

Daemon::~Daemon() { close(); }

Result<std::unique_ptr<Daemon>> Daemon::start(const DaemonOptions& options) {
  std::unique_ptr<Daemon> daemon(new Daemon(options));
  // Before the store is claimed and the log is read for nothing.
  TRY(fuse::check_mountpoint(options.mountpoint));
  if (options.kafka.listen) TRY(check_can_listen(*options.kafka.listen));
  TRY(daemon->open_engine());
  if (options.kafka.listen) TRY(daemon->start_gateway());
  TRY(daemon->mount());
  daemon->pool_warmer_ = std::make_unique<PoolWarmer>(daemon->engine_->pool());
  return daemon;
}

Result<void> Daemon::open_engine() {
  files_ = make_posix_file_system();
  TRY_ASSIGN(store_, open_store(options_.store_url, options_.s3, clock_));
  executor_ = std::make_unique<ThreadExecutor>("topicfs-timers", clock_);
  device_ = make_threaded_log_device(kBackgroundThreads);
  std::promise<Result<std::unique_ptr<LocalEngine>>> opened;
  LocalEngine::open(engine_options(options_), {*files_, *device_, *store_, *executor_, clock_, system_random()},
                    [&](Result<std::unique_ptr<LocalEngine>> r) { opened.set_value(std::move(r)); });
  TRY_ASSIGN(engine_, opened.get_future().get());
  return {};
}

Result<void> Daemon::start_gateway() {
  ChunkPool& pool = engine_->pool();
  ipc::ServerOptions o;
  o.directory = options_.data_dir;
  o.pool = {pool.base(), pool.size_bytes(), pool.chunk_bytes(), pool.fd()};
  TRY_ASSIGN(server_, ipc::Server::start(*engine_, clock_, o));
  TRY_ASSIGN(gateway_, GatewayProcess::start(gateway_arguments(options_), *options_.kafka.listen));
  return {};
}

Result<void> Daemon::mount() {
  fuse::MountOptions m;
  m.mountpoint = options_.mountpoint;
  m.source = options_.store_url;
  m.filesystem.default_partitions = options_.default_partitions;
  m.filesystem.deleted = options_.deleted_is_hole ? fuse::Deleted::hole : fuse::Deleted::skip;
  m.filesystem.space_path = options_.data_dir;
  m.filesystem.root = {static_cast<uint32_t>(::getuid()), static_cast<uint32_t>(::getgid()), 0755};
  if (options_.allow_other != Choice::automatic) m.allow_other = options_.allow_other == Choice::yes;
  m.busy_poll = options_.busy_poll;
  m.kernel_options = options_.kernel_options;
  TRY_ASSIGN(mount_, fuse::Mount::start(m, *engine_, *executor_, clock_));
  return {};
}

void Daemon::run() {
  mount_->wait();
  LOG_INFO("unmounted {}", options_.mountpoint);
  close();
}

/// The doors first, then the engine, then what it runs on; each step lets the ones below finish its requests.
void Daemon::close() {
  pool_warmer_.reset();
  mount_.reset();
  gateway_.reset();
  server_.reset();
  if (engine_) {
    std::promise<Result<void>> stopped;
    engine_->stop(clock_.now() + options_.shutdown_timeout, [&](Result<void> r) { stopped.set_value(std::move(r)); });
    if (Result<void> r = stopped.get_future().get(); !r) LOG_WARNING("{}", r.error().message());
    engine_->close();
  }
  device_.reset();
  store_.reset();
  executor_.reset();
  engine_.reset();
}

}  // namespace topicfs
