// Frames: what goes over the socket between the gateway and the daemon.
//
//   stream  = frame*
//   frame   = length:uint32  verb:uint8  zero:uint8[3]  request:uint64  payload:byte[length]
//
// Numbers are little-endian. `request` is chosen by the gateway and comes back with the answer, 0 for
// frames that are neither. The payload is the verb's message (messages.h); bytes behind the message
// belong to verbs that carry some. Both sides open with a hello that has magic, version and process.
// A frame that breaks a rule ends the connection: there is nothing to resynchronise on.
#pragma once

#include <optional>
#include <vector>

#include <topicfs/result.h>
#include <topicfs/types.h>

#include "ipc/wire.h"

namespace topicfs::ipc {

enum class Verb : uint8_t {
  // gateway to daemon
  hello = 1,
  create_topic,
  add_partitions,
  delete_topic,
  change_settings,
  change_topic_ownership,
  change_partition_ownership,
  set_modified,
  append_batch,
  append_text,
  cancel,
  sync,
  allocate_producer_ids,
  delete_records,
  read_text,
  fetch,
  find_timestamp,
  get_leader_epochs,
  status,
  release,
  commit_offsets,
  fetch_offsets,
  delete_offsets,
  save_group,
  delete_group,
  list_groups,
  // daemon to gateway: answers
  failed = 64,
  done,
  topic_done,
  appended,
  number,
  bytes,
  timestamp,
  leader_epochs,
  text,
  offsets,
  groups,
  // daemon to gateway: events
  welcome = 128,
  ready,
  topic_changed,
  topic_deleted,
  durable,
};
/// A byte of a frame that is some verb.
bool is_verb(uint8_t byte);

inline constexpr size_t kFrameHeaderBytes = 16;
/// What the gateway sends is small; a topic's settings and a consumer group's members are the largest.
inline constexpr size_t kMaxRequestBytes = 1 << 20;
/// Room for a topic of kMaxPartitionsPerTopic.
inline constexpr size_t kMaxAnswerBytes = 8 << 20;

struct FrameHeader {
  uint32_t length = 0;
  Verb verb{};
  uint64_t request = 0;
};

/// Appends one frame to `out`: header, `message`, and `tail` behind it.
template <class Message>
void put_frame(std::vector<std::byte>& out, uint64_t request, const Message& message, ByteSpan tail = {});

/// kCorrupt: not a verb, bytes that must be zero are not, or longer than `max_bytes`.
/// `bytes` are at least kFrameHeaderBytes.
Result<FrameHeader> decode_header(ByteSpan bytes, size_t max_bytes);

/// The whole payload is one message. kCorrupt: it is not, or something follows.
template <class Message>
Result<Message> decode(ByteSpan payload);
/// The payload starts with a message; what follows is its tail.
template <class Message>
Result<std::pair<Message, ByteSpan>> decode_with_tail(ByteSpan payload);

/// Cuts what arrives on a stream into frames. Holds at most one frame and one read.
class FrameBuffer {
 public:
  static constexpr size_t kReadBytes = 256 << 10;

  explicit FrameBuffer(size_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}

  struct Frame {
    FrameHeader header;
    ByteSpan payload;  ///< valid until `space` is called
  };

  /// Where the next read goes, at least kReadBytes. Call `filled` with what came.
  MutableByteSpan space();
  void filled(size_t bytes) { end_ += bytes; }
  /// The next whole frame; nullopt: more bytes are needed. After an error there are no more.
  Result<std::optional<Frame>> next();

 private:
  const size_t max_frame_bytes_;
  std::vector<std::byte> bytes_;
  size_t begin_ = 0, end_ = 0;
};

// ---- implementation

namespace detail {
size_t begin_frame(std::vector<std::byte>& out, Verb verb, uint64_t request);
void end_frame(std::vector<std::byte>& out, size_t begin);
tl::unexpected<Error> bad_message();
}  // namespace detail

template <class Message>
void put_frame(std::vector<std::byte>& out, uint64_t request, const Message& message, ByteSpan tail) {
  auto begin = detail::begin_frame(out, Message::kVerb, request);
  Writer writer(out);
  writer(message);
  out.insert(out.end(), tail.begin(), tail.end());
  detail::end_frame(out, begin);
}

template <class Message>
Result<std::pair<Message, ByteSpan>> decode_with_tail(ByteSpan payload) {
  std::pair<Message, ByteSpan> out;
  Reader reader(payload);
  reader(out.first);
  if (!reader.good()) return detail::bad_message();
  out.second = reader.rest();
  return out;
}

template <class Message>
Result<Message> decode(ByteSpan payload) {
  TRY_ASSIGN(auto both, decode_with_tail<Message>(payload));
  if (!both.second.empty()) return detail::bad_message();
  return std::move(both.first);
}

}  // namespace topicfs::ipc
