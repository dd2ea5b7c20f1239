// Which way of making writes durable is chosen, on disks of which each method takes as long as the test says.
#include "io/sync_probe.h"

#include <doctest/doctest.h>

#include <functional>
#include <utility>

#include "support/manual_executor.h"
#include "support/memory_file_system.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

using namespace std::chrono_literals;

/// How long a method's write number 0, 1, 2... takes.
using Latency = std::function<Result<MonotonicTime>(SyncMethod method, int write)>;

class TimedFile final : public File {
 public:
  TimedFile(std::unique_ptr<File> file, SyncMethod method, ManualExecutor& time, const Latency& latency)
      : file_(std::move(file)), method_(method), time_(time), latency_(latency) {}

  Result<size_t> read_at(uint64_t position, MutableByteSpan into) override { return file_->read_at(position, into); }
  Result<void> write_at(uint64_t position, const std::vector<ByteSpan>& pieces) override {
    TRY_ASSIGN(MonotonicTime took, latency_(method_, writes_++));
    time_.advance(took);
    return file_->write_at(position, pieces);
  }
  Result<void> sync() override { return file_->sync(); }
  Result<uint64_t> size() override { return file_->size(); }

 private:
  std::unique_ptr<File> file_;
  SyncMethod method_;
  ManualExecutor& time_;
  const Latency& latency_;
  int writes_ = 0;
};

class TimedFileSystem final : public FileSystem {
 public:
  explicit TimedFileSystem(Latency latency) : latency_(std::move(latency)) { CHECK(memory.make_directories("/log")); }

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode, SyncMethod method) override {
    TRY_ASSIGN(auto file, memory.open(path, mode, method));
    if (mode == OpenMode::create) return file;
    return std::make_unique<TimedFile>(std::move(file), method, time, latency_);
  }
  Result<std::vector<std::string>> list(const std::string& directory) override { return memory.list(directory); }
  Result<void> make_directories(const std::string& path) override { return memory.make_directories(path); }
  Result<void> rename(const std::string& from, const std::string& to) override { return memory.rename(from, to); }
  Result<void> remove(const std::string& path) override { return memory.remove(path); }
  Result<void> sync_directory(const std::string& path) override { return memory.sync_directory(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return memory.lock(path); }

  SyncMethod chosen() {
    auto probe = probe_sync_method(*this, "/log", time);
    REQUIRE(probe);
    CHECK(memory.list("/log")->empty());
    return probe->method;
  }

  MemoryFileSystem memory;
  ManualExecutor time;

 private:
  const Latency latency_;
};

}  // namespace

TEST_CASE("direct writes are chosen unless another way is clearly faster") {
  auto with_direct = [](MonotonicTime direct) {
    return TimedFileSystem([direct](SyncMethod m, int) { return m == SyncMethod::direct_dsync ? direct : 100us; }).chosen();
  };
  CHECK(with_direct(100us) == SyncMethod::direct_dsync);
  CHECK(with_direct(140us) == SyncMethod::direct_dsync);
  CHECK(with_direct(200us) != SyncMethod::direct_dsync);
}

TEST_CASE("of the others the fastest is chosen") {
  auto with = [](MonotonicTime buffered, MonotonicTime dsync) {
    return TimedFileSystem([=](SyncMethod m, int) {
             return m == SyncMethod::direct_dsync ? 500us : m == SyncMethod::buffered ? buffered : dsync;
           }).chosen();
  };
  CHECK(with(100us, 90us) == SyncMethod::buffered_dsync);
  CHECK(with(90us, 100us) == SyncMethod::buffered);
}

TEST_CASE("what disturbs most writes of one method does not decide") {
  TimedFileSystem files([](SyncMethod m, int write) -> MonotonicTime {
    const bool disturbed = m == SyncMethod::direct_dsync && write % 4 != 1;
    return disturbed ? 3000us : 100us;
  });
  CHECK(files.chosen() == SyncMethod::direct_dsync);
}

TEST_CASE("a method that fails is not chosen, and a disk on which none works is an error") {
  TimedFileSystem one([](SyncMethod m, int write) -> Result<MonotonicTime> {
    if (m == SyncMethod::direct_dsync && write == 20) return fail(Errc::kIo, "not like this");
    return m == SyncMethod::direct_dsync ? 10us : 100us;
  });
  CHECK(one.chosen() == SyncMethod::buffered);
  TimedFileSystem none([](SyncMethod, int) -> Result<MonotonicTime> { return fail(Errc::kIo, "not at all"); });
  auto probe = probe_sync_method(none, "/log", none.time);
  REQUIRE(!probe);
  CHECK(probe.error().code == Errc::kIo);
}
