#include "fuse/file_reader.h"

#include <algorithm>
#include <cerrno>

namespace topicfs::fuse {
namespace {

// Retention may delete what is being read; the read then looks again, but not for ever.
constexpr int kMaxTries = 3;

alignas(4096) const std::byte kZeros[kMaxZerosBytes]{};

Bytes zeros(size_t size) {
  size = std::min(size, kMaxZerosBytes);
  return {{ByteSpan(kZeros, size)}, size, nullptr};
}

}  // namespace

// ---- Followers

uint64_t Followers::wait(PartitionId partition, Interrupt interrupt, Wake wake) {
  MutexLock lock(mutex_);
  if (stopped_) {
    lock.unlock();
    wake(false);
    return 0;
  }
  const uint64_t number = ++last_number_;
  waiters_.emplace(number, Waiter{partition, std::move(wake)});
  by_partition_.emplace(partition, number);
  count_++;
  interrupt(Waiting::read, number);  // under the lock: nobody can answer the request before
  return number;
}

void Followers::on_visible(PartitionId partition) {
  if (count_.load() == 0) return;
  MutexLock lock(mutex_);
  auto [first, last] = by_partition_.equal_range(partition);
  for (auto it = first; it != last; ++it)
    executor_.post([self = shared_from_this(), number = it->second] { self->wake_now(number); });
}

Followers::Wake Followers::take(uint64_t number) {
  MutexLock lock(mutex_);
  auto found = waiters_.find(number);
  if (found == waiters_.end()) return {};
  Wake wake = std::move(found->second.wake);
  auto [first, last] = by_partition_.equal_range(found->second.partition);
  by_partition_.erase(std::find_if(first, last, [&](auto& entry) { return entry.second == number; }));
  waiters_.erase(found);
  count_--;
  return wake;
}

void Followers::wake_now(uint64_t number) {
  if (Wake wake = take(number)) wake(true);
}

void Followers::call_off(uint64_t number) {
  if (Wake wake = take(number)) wake(false);
}

void Followers::stop() {
  std::vector<uint64_t> numbers;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    for (auto& [number, waiter] : waiters_) numbers.push_back(number);
  }
  for (uint64_t number : numbers) call_off(number);
}

// ---- FileReader

struct FileReader::Read {
  std::shared_ptr<FileReader> self;
  ReadRequest request;
  Interrupt interrupt;
  Reply<Bytes> reply;
  int tries = 0;
  TextPosition from;  // what the engine was asked for
  size_t size = 0;
};

void FileReader::read(const ReadRequest& request, Interrupt interrupt, Reply<Bytes> reply) {
  go_on(std::unique_ptr<Read>(new Read{shared_from_this(), request, interrupt, std::move(reply), 0, {}, 0}));
}

void FileReader::go_on(std::unique_ptr<Read> read) {
  const auto ends = engine_.ends(partition_);
  if (!ends) return read->reply(refuse(ends.error()));
  TextPosition from;
  {
    MutexLock lock(mutex_);
    from = place_.find(read->request.offset, ends->text_start);
  }
  if (from >= ends->text_end) {
    if (at_end_ == AtEnd::answer) return read->reply(Bytes{});
    if (read->request.wait == Wait::no) return read->reply(refuse(EAGAIN));
    return wait_for_more(std::move(read), from);
  }
  if (from < ends->text_start) {
    const auto hole = static_cast<size_t>(ends->text_start - from);
    return read->reply(zeros(std::min(read->request.size, hole)));
  }
  const size_t size = std::min(read->request.size, static_cast<size_t>(ends->text_end - from));
  Bytes ready;
  auto wake = [&read]() -> Task {
    return [again = std::move(read)]() mutable {
      FileReader& self = *again->self;
      self.go_on(std::move(again));
    };
  };
  switch (ahead_->find(from, size, ends->text_end, ready, wake)) {
    case TextAhead::Found::yes:
      return answer(std::move(read), std::move(ready));
    case TextAhead::Found::soon:
      return;
    case TextAhead::Found::no:
      break;
  }
  read->from = from, read->size = size;
  engine_.read_text(partition_, from, size, [read = std::move(read)](Result<TextRead> text) mutable {
    FileReader& self = *read->self;
    self.on_text(std::move(read), std::move(text));
  });
}

void FileReader::on_text(std::unique_ptr<Read> read, Result<TextRead> text) {
  if (!text) {
    if (text.error().code == Errc::kOutOfRange && ++read->tries < kMaxTries) return go_on(std::move(read));
    return read->reply(refuse(text.error()));
  }
  if (text->text.size < read->size) ahead_->on_short_read(read->from + static_cast<int64_t>(text->text.size));
  answer(std::move(read), std::move(text->text));
}

void FileReader::answer(std::unique_ptr<Read> read, Bytes text) {
  {
    MutexLock lock(mutex_);
    place_.advance(read->request.offset, text.size);
  }
  read->reply(std::move(text));
}

void FileReader::wait_for_more(std::unique_ptr<Read> read, TextPosition from) {
  auto self = shared_from_this();
  const Interrupt interrupt = read->interrupt;
  const uint64_t number =
      followers_->wait(partition_, interrupt, [read = std::move(read)](bool grown) mutable {
        if (!grown) return read->reply(refuse(EINTR));
        FileReader& reader = *read->self;
        reader.go_on(std::move(read));
      });
  if (number == 0) return;
  const auto ends = engine_.ends(partition_);  // it may have grown before the wait was entered
  if (!ends || ends->text_end > from) followers_->wake_now(number);
}

}  // namespace topicfs::fuse
