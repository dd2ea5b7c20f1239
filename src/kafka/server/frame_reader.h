// FrameReader: cuts what a socket delivers into requests. It knows no socket: it says where the next
// bytes should go and is told how many came.
//
// A frame's length, key and version are looked at before memory is taken for it, and its first few KiB must have
// come, so that a client that speaks something else, asks for what is not served, or only announces, costs nothing.
// Bytes are read straight into the request's own buffer; only those first ones are copied.
//
// The buffers that all connections share are for requests that come quickly. One that is long, or for which
// slow_down() is called, gets memory by and by, as its bytes come, from a budget where nobody waits.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include <topicfs/result.h>

#include "kafka/wire/receive_buffers.h"

namespace topicfs::kafka {

struct Frame {
  ReceiveBuffer buffer;  ///< without the length
  int16_t api_key = 0;
};

class FrameReader {
 public:
  static constexpr size_t kStagingBytes = 16 << 10;
  /// Requests that carry no records: generous for every partition of a large topic.
  static constexpr size_t kMaxControlRequestBytes = 8 << 20;

  /// `when_room` makes the task that is handed to `buffers`; it leads to next() being called again.
  FrameReader(ReceiveBuffers& buffers, size_t max_request_bytes, UniqueFunction<Task()> when_room);

  /// The next whole request, or nothing yet. An error ends the connection: its text is for the log.
  /// May be called while a read is under way.
  Result<std::optional<Frame>> next();

  /// False while there is no place for more bytes; then next() has to be called first.
  bool wants_bytes() const { return in_frame_ || staged() < kStagingBytes; }
  /// Where the next bytes go, in this order. They stay in place until received().
  std::array<MutableByteSpan, 2> space();
  void received(size_t size);
  /// Part of a request has come, and the rest has not.
  bool is_inside_frame() const { return in_frame_ || staged() > 0; }
  /// The rest is the client's to send; otherwise there is no room for it yet.
  bool waits_for_client() const { return is_inside_frame() && !waits_for_room_; }
  size_t bytes_of_frame() const { return in_frame_ ? filled_ : staged(); }

  /// The request on its way holds memory that others may wait for.
  bool is_quick() const { return in_frame_ && !is_slow_; }
  /// It comes slowly: lets go of that memory. Not while a read is under way.
  Result<void> slow_down();

 private:
  size_t staged() const { return end_ - begin_; }
  static constexpr size_t kSlowStepBytes = 64 << 10;

  Result<bool> begin_frame();
  Result<void> grow(size_t at_least);
  Result<void> check_size(uint32_t size) const;
  Result<void> check_api(uint32_t size, int16_t key, int16_t version) const;

  ReceiveBuffers& buffers_;
  const size_t max_request_bytes_;
  UniqueFunction<Task()> when_room_;
  std::unique_ptr<std::byte[]> staging_;
  size_t begin_ = 0, end_ = 0;   ///< what staging_ holds
  bool in_frame_ = false;
  bool is_slow_ = false;
  bool waits_for_room_ = false;
  Frame frame_;                  ///< its buffer is shorter than size_ while a slow one grows
  size_t size_ = 0;
  size_t filled_ = 0;            ///< of size_
  size_t promised_to_frame_ = 0; ///< by the last space()
};

}  // namespace topicfs::kafka
