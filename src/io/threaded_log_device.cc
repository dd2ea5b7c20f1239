#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <deque>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/lent_thread.h"
#include "base/mutex.h"
#include "io/posix_file_system.h"

namespace topicfs {
namespace {

constexpr int kWriters = 2;  // see write_loop
constexpr int kNice = -15;

enum class Turn { first, fair };

/// A write that is awaited goes before everybody: when the disk is done, they all wait for the thread that has written. Where
/// that is not allowed (it takes root, or RLIMIT_NICE), it waits for its turn. A write that nobody waits for does too: its
/// checksums would take a processor from who appends.
thread_local Turn my_turn = Turn::fair;

void take(Turn turn) {
  if (std::exchange(my_turn, turn) == turn) return;
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), turn == Turn::first ? kNice : 0);
}

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
      work_ready_.notify_all();
      task_ready_.notify_all();
    }
    for (auto& t : threads_) t.join();
  }

  void submit(LogWrite& write) override {
    if (LentThread::leave([&write] { write.done(write_now(write)); })) return;
    MutexLock l(mutex_);
    MUST(next_ == nullptr);
    next_ = &write;
    if (!goes_on_) work_ready_.notify_one();  // else it goes on itself: to wake another takes longer
  }

  void tell(Task task) override {
    {
      MutexLock l(mutex_);
      if (goes_on_ && next_) {
        news_.push_back({std::move(task), my_turn});
        work_ready_.notify_one();
        return;
      }
    }
    task();
  }

  void run(Task task) override {
    MutexLock l(mutex_);
    tasks_.push_back(std::move(task));
    task_ready_.notify_one();
  }

 private:
  struct News {
    Task task;
    Turn turn = Turn::fair;
  };

  static Result<void> write_now(LogWrite& write) {
    thread_local std::vector<ByteSpan> pieces;
    pieces.clear();
    LogWrite::Where where = write.prepare(pieces);
    TRY(where.file->write_at(where.position, pieces));
    return where.file->sync();
  }

  /// Two threads: while one writes, the other tells who has waited for the write before.
  void write_loop() {
    ::pthread_setname_np(::pthread_self(), "topicfs-log");
    for (;;) {
      LogWrite* write = nullptr;
      News news;
      {
        MutexLock l(mutex_);
        while (!next_ && news_.empty() && !stopping_) work_ready_.wait(mutex_);
        if (next_) {
          write = std::exchange(next_, nullptr);
        } else if (!news_.empty()) {
          news = std::move(news_.front());
          news_.pop_front();
        } else {
          return;
        }
      }
      if (!write) {
        take(news.turn);
        news.task();
        continue;
      }
      take(write->is_awaited() ? Turn::first : Turn::fair);
      Result<void> result = write_now(*write);
      goes_on_ = true;
      write->done(std::move(result));
      goes_on_ = false;
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
  CondVar work_ready_, task_ready_;
  LogWrite* next_ GUARDED_BY(mutex_) = nullptr;
  std::deque<News> news_ GUARDED_BY(mutex_);
  inline static thread_local bool goes_on_ = false;  // this thread will look for the next write at once
  std::deque<Task> tasks_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<LogDevice> make_threaded_log_device(int background_threads) {
  return std::make_unique<ThreadedLogDevice>(background_threads);
}

}  // namespace topicfs
