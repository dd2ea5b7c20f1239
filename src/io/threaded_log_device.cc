#include <deque>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/lent_thread.h"
#include "base/mutex.h"
#include "io/posix_file_system.h"

namespace topicfs {
namespace {

constexpr int kWriters = 2;

class ThreadedLogDevice final : public LogDevice {
 public:
  explicit ThreadedLogDevice(int background_threads) {
    for (int i = 0; i < kWriters; i++) threads_.emplace_back([this] { write_loop(); });
    for (int i = 0; i < background_threads; i++) threads_.emplace_back([this] { task_loop(); });
  }

  ~ThreadedLogDevice() override {
    {
      MutexLock l(mutex_);
      stopping_ = true;
      write_ready_.notify_all();
      task_ready_.notify_all();
    }
    for (auto& t : threads_) t.join();
  }

  void submit(LogWrite& write) override {
    if (LentThread::leave([&write] { carry_out(write); })) return;
    MutexLock l(mutex_);
    MUST(next_ == nullptr);
    next_ = &write;
    write_ready_.notify_one();
  }

  void run(Task task) override {
    MutexLock l(mutex_);
    tasks_.push_back(std::move(task));
    task_ready_.notify_one();
  }

 private:
  static void carry_out(LogWrite& write) {
    thread_local std::vector<ByteSpan> pieces;
    pieces.clear();
    LogWrite::Where where = write.prepare(pieces);
    Result<void> result = where.file->write_at(where.position, pieces);
    if (result) result = where.file->sync();
    write.done(std::move(result));
  }

  void write_loop() {
    for (;;) {
      LogWrite* write;
      {
        MutexLock l(mutex_);
        while (!next_ && !stopping_) write_ready_.wait(mutex_);
        if (!next_) return;
        write = std::exchange(next_, nullptr);
      }
      carry_out(*write);
    }
  }

  void task_loop() {
    for (;;) {
      Task task;
      {
        MutexLock l(mutex_);
        while (tasks_.empty() && !stopping_) task_ready_.wait(mutex_);
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
  }

  Mutex mutex_;
  CondVar write_ready_, task_ready_;
  LogWrite* next_ GUARDED_BY(mutex_) = nullptr;
  std::deque<Task> tasks_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<LogDevice> make_threaded_log_device(int background_threads) {
  return std::make_unique<ThreadedLogDevice>(background_threads);
}

}  // namespace topicfs
