#include "kafka/server/frame_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kafka/handlers/dispatch.h"
#include "kafka/messages/produce.h"
#include "kafka/wire/header.h"

namespace topicfs::kafka {

FrameReader::FrameReader(ReceiveBuffers& buffers, size_t max_request_bytes, UniqueFunction<Task()> when_room)
    : buffers_(buffers),
      max_request_bytes_(max_request_bytes),
      when_room_(std::move(when_room)),
      staging_(new std::byte[kStagingBytes]) {}

Result<void> FrameReader::check_size(uint32_t size) const {
  if (size < kMinRequestBytes || size > max_request_bytes_)
    return fail(Errc::kInvalidArgument, fmt::format("a request of {} bytes", static_cast<int32_t>(size)));
  return {};
}

Result<void> FrameReader::check_api(uint32_t size, int16_t key, int16_t version) const {
  if (const char* why = why_not_served(key, version))
    return fail(Errc::kUnsupported, fmt::format("API key {} version {}: {}", key, version, why));
  if (key != ProduceRequest::key && size > kMaxControlRequestBytes)
    return fail(Errc::kTooLarge, fmt::format("a request of {} bytes for API key {}", size, key));
  return {};
}

/// True if a frame is begun, false if there are too few bytes, or no room.
Result<bool> FrameReader::begin_frame() {
  if (staged() < kFrameSizeBytes) return false;
  Reader r(ByteSpan(staging_.get() + begin_, staged()));
  auto size = static_cast<uint32_t>(r.int32());
  TRY(check_size(size));
  if (staged() < kFramePeekBytes) return false;
  int16_t key = r.int16(), version = r.int16();
  TRY(check_api(size, key, version));
  if (staged() < std::min(kStagingBytes, kFrameSizeBytes + size)) return false;
  is_slow_ = size > buffers_.max_quick_bytes();
  if (!is_slow_) {
    frame_.buffer = buffers_.allocate(size, when_room_());
    waits_for_room_ = !frame_.buffer;
    if (waits_for_room_) return false;
  }
  frame_.api_key = key;
  begin_ += kFrameSizeBytes;
  size_ = size;
  filled_ = 0;
  in_frame_ = true;
  if (is_slow_) TRY(grow(kStagingBytes));
  return true;
}

Result<void> FrameReader::grow(size_t at_least) {
  size_t to = std::min(size_, std::max({at_least, 2 * filled_, kSlowStepBytes}));
  ReceiveBuffer larger = buffers_.allocate_slow(to);
  if (!larger) return fail(Errc::kFull, fmt::format("no memory for a slow or long request of {} bytes", size_));
  std::copy_n(frame_.buffer.bytes.begin(), filled_, larger.bytes.begin());
  frame_.buffer = std::move(larger);
  return {};
}

Result<void> FrameReader::slow_down() {
  if (!is_quick()) return {};
  is_slow_ = true;
  return grow(filled_);
}

Result<std::optional<Frame>> FrameReader::next() {
  if (!in_frame_) {
    TRY_ASSIGN(bool begun, begin_frame());
    if (!begun) return std::nullopt;
  }
  size_t moved = std::min(staged(), size_ - filled_);
  if (filled_ + moved > frame_.buffer.bytes.size()) TRY(grow(filled_ + moved));
  std::memcpy(frame_.buffer.bytes.data() + filled_, staging_.get() + begin_, moved);
  begin_ += moved;
  filled_ += moved;
  if (filled_ < size_) {
    if (filled_ == frame_.buffer.bytes.size()) TRY(grow(filled_ + 1));
    return std::nullopt;
  }
  in_frame_ = false;
  return std::exchange(frame_, Frame{});
}

std::array<MutableByteSpan, 2> FrameReader::space() {
  if (begin_ > 0) {
    std::memmove(staging_.get(), staging_.get() + begin_, staged());
    end_ -= begin_;
    begin_ = 0;
  }
  // Of a slow request that is to grow no part may go to the staging memory before its rest.
  bool grows = in_frame_ && frame_.buffer.bytes.size() < size_;
  MutableByteSpan rest = in_frame_ ? frame_.buffer.bytes.subspan(filled_) : MutableByteSpan{};
  promised_to_frame_ = rest.size();
  return {rest, grows ? MutableByteSpan{} : MutableByteSpan(staging_.get() + end_, kStagingBytes - end_)};
}

void FrameReader::received(size_t size) {
  size_t to_frame = std::min(size, promised_to_frame_);
  filled_ += to_frame;
  end_ += size - to_frame;
}

}  // namespace topicfs::kafka
