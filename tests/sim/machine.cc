#include "sim/machine.h"

#include "base/check.h"

namespace topicfs::sim {
namespace {

thread_local ManualExecutor* running = nullptr;

/// The engine's one thread would wait: for something that only the tasks can bring about.
void run_a_task() { MUST(running && running->run_next()); }

constexpr WallMilliseconds kWallStart{1'700'000'000'000};

}  // namespace

class Machine::Device final : public LogDevice {
 public:
  Device(MemoryFileSystem& disk, ManualExecutor& executor, SeededRandom& random)
      : disk_(disk), executor_(executor), random_(random) {}

  void submit(LogWrite& write) override {
    MUST(!write_);
    write_ = &write;
    soon([this] {
      pieces_.clear();
      where_ = write_->prepare(pieces_);
      stage_ = Stage::prepared;
      soon([this] { write_now(); });
    });
  }
  void run(Task task) override {
    executor_.at(executor_.now() + std::chrono::microseconds(random_.below(3000)), std::move(task));
  }
  /// The process ends now.
  void tear() {
    if (stage_ != Stage::prepared) return;
    disk_.cut_power_after(1);
    (void)where_.file->write_at(where_.position, pieces_);
  }

 private:
  enum class Stage { idle, prepared, written };
  void soon(Task task) {
    executor_.at(executor_.now() + std::chrono::microseconds(random_.between(20, 900)), std::move(task));
  }
  void write_now() {
    Result<void> written = where_.file->write_at(where_.position, pieces_);
    stage_ = Stage::written;
    if (!written) return finish(std::move(written));
    soon([this] { finish(where_.file->sync()); });
  }
  void finish(Result<void> result) {
    stage_ = Stage::idle;
    std::exchange(write_, nullptr)->done(std::move(result));
  }

  MemoryFileSystem& disk_;
  ManualExecutor& executor_;
  SeededRandom& random_;
  LogWrite* write_ = nullptr;
  LogWrite::Where where_;
  std::vector<ByteSpan> pieces_;
  Stage stage_ = Stage::idle;
};

Machine::Machine(EngineOptions options, std::shared_ptr<MemoryBucket> bucket, SeededRandom& random,
                 uint64_t first_life)
    : options_(std::move(options)), bucket_(std::move(bucket)), random_(random), life_(first_life) {}

Machine::~Machine() {
  if (executor_) end(End::killed);
}

void Machine::start() {
  MUST(!executor_);
  life_++;
  WallMilliseconds wall = kWallStart + clock_jump + std::chrono::duration_cast<WallMilliseconds>(up_since_);
  executor_ = std::make_unique<ManualExecutor>(up_since_, wall);
  device_ = std::make_unique<Device>(disk, *executor_, random_);
  store_ = std::make_unique<MemoryObjectStore>(*executor_, *executor_, bucket_);
  store_->set_faults(weather);
  store_->set_conditional_put(conditional_put);
  running = executor_.get();
  instead_of_waiting = run_a_task;
  outcome_ = std::make_shared<std::optional<Result<std::unique_ptr<LocalEngine>>>>();
  LocalEngine::open(options_, {disk, *device_, *store_, *executor_, *executor_, random_},
                    [outcome = outcome_](Result<std::unique_ptr<LocalEngine>> r) { *outcome = std::move(r); });
}

Result<void> Machine::take_outcome() {
  auto outcome = std::exchange(*std::exchange(outcome_, nullptr), std::nullopt);
  if (!outcome && has_power()) return fail(Errc::kTimedOut, "opening the engine never ends");
  if (!outcome) return fail(Errc::kIo, "the power went");
  if (!*outcome) return tl::unexpected<Error>(outcome->error());
  engine_ = std::move(**outcome);
  return {};
}

Result<void> Machine::stop(MonotonicTime patience) {
  auto outcome = std::make_shared<std::optional<Result<void>>>();
  running = executor_.get();
  engine_->stop(executor_->now() + patience, [outcome](Result<void> r) { *outcome = std::move(r); });
  for (int i = 0; !*outcome && has_power() && i < kMaxTasks; i++)
    if (!executor_->run_next()) break;
  if (!has_power()) return fail(Errc::kIo, "the power went");
  if (!*outcome) return fail(Errc::kTimedOut, "stopping the engine never ends");
  engine_->close();
  if (!has_power()) return fail(Errc::kIo, "the power went");
  take_apart();
  return **outcome;
}

void Machine::end(End how) {
  device_->tear();
  disk.cut_power_after(0);
  take_apart();
  if (how == End::power_cut) disk.crash([this] { return random_.coin(); });
  else disk.set_power(true);
}

bool Machine::run_next() {
  running = executor_.get();
  if (!executor_) return false;
  auto next = executor_->next_due();
  return next && *next <= executor_->now() + kMostIdle && executor_->run_next();
}

void Machine::take_apart() {
  running = executor_.get();
  for (auto& put : store_->kill()) late_puts.push_back(std::move(put));
  if (outcome_ && *outcome_ && **outcome_) engine_ = std::move(***outcome_);
  outcome_.reset();
  if (engine_) engine_->close();
  up_since_ = executor_->now();
  executor_->drop_tasks();
  engine_.reset();
  store_.reset();
  device_.reset();
  executor_.reset();
}

}  // namespace topicfs::sim
