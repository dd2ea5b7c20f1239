#include "fuse/text_ahead.h"

#include <algorithm>
#include <vector>

namespace topicfs::fuse {
namespace {

/// Moves the first `size` bytes of `from` to the end of `to`.
void move_front(Bytes& from, size_t size, std::vector<ByteSpan>& to) {
  from.size -= size;
  size_t whole = 0;
  for (; size > 0 && size >= from.pieces[whole].size(); whole++) {
    to.push_back(from.pieces[whole]);
    size -= from.pieces[whole].size();
  }
  if (size > 0) {
    to.push_back(from.pieces[whole].first(size));
    from.pieces[whole] = from.pieces[whole].subspan(size);
  }
  from.pieces.erase(from.pieces.begin(), from.pieces.begin() + static_cast<ptrdiff_t>(whole));
}

}  // namespace

bool TextAhead::is_on_its_way(TextPosition from, size_t size) {
  // One that is not begun yet waits for a thread; this one is here.
  return from == next_ && ready_bytes_ < size && making_ && making_->begun && ready_bytes_ + making_->size >= size && !wake_;
}

bool TextAhead::take(TextPosition from, size_t size, TextPosition end, Bytes& text) {
  const bool sequential = from == next_, found = sequential && ready_bytes_ >= size;
  const size_t asked_bytes = size;
  if (!found) drop();
  next_ = from + static_cast<int64_t>(size);
  asked_ = true;
  if (found) {
    auto pins = std::make_shared<std::vector<Pin>>();
    text.size = size;
    ready_bytes_ -= size;
    while (size > 0) {
      Bytes& first = ready_.front();
      const size_t n = std::min(size, first.size);
      move_front(first, n, text.pieces);
      pins->push_back(first.pin);
      size -= n;
      if (first.size == 0) ready_.pop_front();
    }
    text.pin = std::move(pins);
  }
  if (sequential) {
    const size_t most = std::clamp(2 * asked_bytes, kUsualAheadBytes, kMaxAheadBytes);
    window_ = std::clamp(2 * window_, std::min(asked_bytes, most), most);
    start(end);
  }
  count();
  return found;
}

void TextAhead::on_short_read(TextPosition end) {
  MutexLock lock(mutex_);
  drop();
  next_ = end;
  count();
}

void TextAhead::drop() {
  ready_.clear();
  ready_bytes_ = 0;
  making_.reset();
}

void TextAhead::count() {
  const int now = static_cast<int>(ready_.size()) + (making_ ? 1 : 0);
  context_->pieces += now - pieces_;
  pieces_ = now;
}

void TextAhead::start(TextPosition end) {
  if (making_ || ready_bytes_ >= window_ || context_->pieces >= kMaxAhead) return;
  const TextPosition from = next_ + static_cast<int64_t>(ready_bytes_);
  if (end - from < static_cast<int64_t>(kLeastAheadBytes)) return;
  making_ = Making{from, std::min(window_, static_cast<size_t>(end - from))};
  context_->executor.post([self = shared_from_this(), number = ++number_] { self->make(number); });
}

void TextAhead::make(uint64_t number) {
  Making what;
  {
    MutexLock lock(mutex_);
    if (!making_ || number != number_) return;
    making_->begun = true;
    what = *making_;
  }
  context_->engine.read_text(partition_, what.from, what.size, [self = shared_from_this(), number](Result<TextRead> read) {
    self->on_made(number, std::move(read));
  });
}

void TextAhead::on_made(uint64_t number, Result<TextRead> read) {
  Task wake;
  {
    MutexLock lock(mutex_);
    if (making_ && number == number_) {
      making_.reset();
      if (read && read->text.size > 0) {
        ready_bytes_ += read->text.size;
        ready_.push_back(std::move(read->text));
        arm_timer();
      }
      count();
    }
    wake = std::move(wake_);
  }
  if (wake) wake();
}

void TextAhead::arm_timer() {
  if (timer_) return;
  asked_ = false;
  timer_ = context_->executor.at(context_->clock.now() + kKeepAhead, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->on_timer();
  });
}

void TextAhead::on_timer() {
  MutexLock lock(mutex_);
  timer_ = 0;
  if (ready_.empty()) return;
  if (asked_) return arm_timer();
  drop();
  count();
}

}  // namespace topicfs::fuse
