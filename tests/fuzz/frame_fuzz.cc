// What a broken or hostile peer sends over the gateway's socket: any stream, cut anywhere.
//   input := step: 1 byte, stream
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "ipc/messages.h"

using namespace topicfs;
using namespace topicfs::ipc;

namespace {

template <class... Message>
struct List {
  template <class Visit>
  static void for_each(Visit visit) {
    (visit.template operator()<Message>(), ...);
  }
};

using Messages =
    List<Hello, CreateTopic, AddPartitions, DeleteTopic, ChangeSettings, ChangeTopicOwnership, ChangePartitionOwnership,
         SetModified, AppendBatch, AppendText, Cancel, Sync, AllocateProducerIds, DeleteRecords, ReadText, Fetch,
         FindTimestamp, GetLeaderEpochs, GetStatus, Release, CommitOffsets, FetchOffsets, DeleteOffsets, SaveGroup,
         DeleteGroup, ListGroups, Failed, Done, TopicDone, AppendedAnswer, Number, BytesAnswer, Timestamp, LeaderEpochs,
         Text, Offsets, Groups, Welcome, Ready, TopicChanged, TopicDeleted, Durable>;

template <class Message>
std::vector<std::byte> written(const Message& message, ByteSpan tail) {
  std::vector<std::byte> frame;
  put_frame(frame, 1, message, tail);
  MUST(decode_header(frame, frame.size()));
  return frame;
}

/// What decodes is written in a form that decodes to the same.
template <class Message>
void try_message(ByteSpan payload) {
  auto message = decode_with_tail<Message>(payload);
  if (!message) return;
  auto once = written(message->first, message->second);
  auto again = decode_with_tail<Message>(ByteSpan(once).subspan(kFrameHeaderBytes));
  MUST(again && written(again->first, again->second) == once);
  MUST(once.size() <= kFrameHeaderBytes + payload.size());
}

/// Every verb has its one message.
bool covers_all_verbs() {
  int messages[256] = {};
  Messages::for_each([&]<class Message>() { messages[static_cast<uint8_t>(Message::kVerb)]++; });
  for (int byte = 0; byte < 256; byte++)
    if (messages[byte] != (is_verb(static_cast<uint8_t>(byte)) ? 1 : 0)) return false;
  return true;
}

void try_frame(const FrameBuffer::Frame& frame) {
  Messages::for_each([&]<class Message>() {
    if (Message::kVerb == frame.header.verb) try_message<Message>(frame.payload);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool complete = covers_all_verbs();
  MUST(complete);
  if (size == 0) return 0;
  constexpr size_t kMaxFrameBytes = 1 << 16;
  ByteSpan stream{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  FrameBuffer buffer(kMaxFrameBytes);
  while (!stream.empty()) {
    auto part = stream.first(std::min(stream.size(), size_t{data[0]} + 1));
    stream = stream.subspan(part.size());
    std::memcpy(buffer.space().data(), part.data(), part.size());
    buffer.filled(part.size());
    for (;;) {
      auto frame = buffer.next();
      if (!frame) return 0;
      if (!*frame) break;
      MUST((*frame)->payload.size() <= kMaxFrameBytes);
      try_frame(**frame);
    }
  }
  return 0;
}
