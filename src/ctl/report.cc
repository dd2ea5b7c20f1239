#include "ctl/report.h"

#include <fmt/core.h>

#include <algorithm>

#include "ctl/units.h"

namespace topicfs::ctl {
namespace {

constexpr MonotonicTime kRedrawAfter = std::chrono::milliseconds(100);
constexpr uint64_t kBarWidth = 30;

}  // namespace

std::string progress_bar(const std::string& what, uint64_t done_bytes, uint64_t total_bytes) {
  uint64_t done = std::min(done_bytes, total_bytes), total = std::max<uint64_t>(total_bytes, 1);
  auto filled = static_cast<size_t>(static_cast<double>(done) / static_cast<double>(total) * kBarWidth);
  return fmt::format("{:<8} [{}{}] {:>3} %  {} of {}", what, std::string(filled, '#'), std::string(kBarWidth - filled, '.'),
                     static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(total)),
                     human_bytes(static_cast<int64_t>(done)), human_bytes(static_cast<int64_t>(total_bytes)));
}

void Report::damaged(const std::string& what) {
  if (++damages_ <= kMaxShown) say("damaged: " + what);
  else if (damages_ == kMaxShown + 1) say("damaged: more than this; only counted from here on");
}

void Report::say(const std::string& line) {
  if (draw_) draw_("");
  print_(line);
  if (total_ > 0) redraw();
}

void Report::begin(std::string what, uint64_t total_bytes) {
  what_ = std::move(what);
  total_ = total_bytes;
  done_ = 0;
  redraw();
}

void Report::advance(uint64_t bytes) {
  done_ += bytes;
  if (clock_.now() - drawn_ >= kRedrawAfter) redraw();
}

void Report::end() {
  total_ = 0;
  if (draw_) draw_("");
}

void Report::redraw() {
  drawn_ = clock_.now();
  if (draw_) draw_(progress_bar(what_, done_, total_));
}

}  // namespace topicfs::ctl
