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
  frame_.buffer = buffers_.allocate(size, when_room_());
  if (!frame_.buffer) return false;
  frame_.api_key = key;
  begin_ += kFrameSizeBytes;
  filled_ = 0;
  in_frame_ = true;
  return true;
}

Result<std::optional<Frame>> FrameReader::next() {
  if (!in_frame_) {
    TRY_ASSIGN(bool begun, begin_frame());
    if (!begun) return std::nullopt;
  }
  size_t size = frame_.buffer.bytes.size();
  size_t moved = std::min(staged(), size - filled_);
  std::memcpy(frame_.buffer.bytes.data() + filled_, staging_.get() + begin_, moved);
  begin_ += moved;
  filled_ += moved;
  if (filled_ < size) return std::nullopt;
  in_frame_ = false;
  return std::exchange(frame_, Frame{});
}

std::array<MutableByteSpan, 2> FrameReader::space() {
  if (begin_ > 0) {
    std::memmove(staging_.get(), staging_.get() + begin_, staged());
    end_ -= begin_;
    begin_ = 0;
  }
  MutableByteSpan rest = in_frame_ ? frame_.buffer.bytes.subspan(filled_) : MutableByteSpan{};
  promised_to_frame_ = rest.size();
  return {rest, MutableByteSpan(staging_.get() + end_, kStagingBytes - end_)};
}

void FrameReader::received(size_t size) {
  size_t to_frame = std::min(size, promised_to_frame_);
  filled_ += to_frame;
  end_ += size - to_frame;
}

}  // namespace topicfs::kafka
