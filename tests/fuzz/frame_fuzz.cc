// What a broken or hostile peer sends over the gateway's socket: any stream, cut anywhere.
//   input := step: 1 byte, stream
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "ipc/messages.h"

using namespace topicfs;
using namespace topicfs::ipc;

namespace {

/// What decodes is written again as it was, and decodes again.
template <class Message>
void try_message(ByteSpan payload) {
  auto message = decode_with_tail<Message>(payload);
  if (!message) return;
  std::vector<std::byte> again;
  put_frame(again, 1, message->first, message->second);
  MUST(decode_header(again, again.size()));
  auto written = ByteSpan(again).subspan(kFrameHeaderBytes);
  MUST(written.size() <= payload.size());
  MUST(decode_with_tail<Message>(written));
}

void try_all(ByteSpan payload) {
  try_message<Hello>(payload);
  try_message<Welcome>(payload);
  try_message<CreateTopic>(payload);
  try_message<ChangeSettings>(payload);
  try_message<ChangePartitionOwnership>(payload);
  try_message<AppendBatch>(payload);
  try_message<AppendText>(payload);
  try_message<Release>(payload);
  try_message<Failed>(payload);
  try_message<AppendedAnswer>(payload);
  try_message<BytesAnswer>(payload);
  try_message<TopicChanged>(payload);
  try_message<Durable>(payload);
  try_message<CommitOffsets>(payload);
  try_message<SaveGroup>(payload);
  try_message<Offsets>(payload);
  try_message<Groups>(payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
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
      try_all((*frame)->payload);
    }
  }
  return 0;
}
