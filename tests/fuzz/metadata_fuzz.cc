// What the log and the store hold besides data: control records, those of groups, checkpoints, keys of the store. What
// is accepted is written in a form that reads back the same.
//   input := kind: 1 byte, bytes
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "codec/base64.h"
#include "codec/crc32c.h"
#include "metadata/checkpoint.h"
#include "metadata/store_keys.h"

using namespace topicfs;

namespace {

bool is_refusal(const Error& error) { return error.code == Errc::kCorrupt || error.code == Errc::kUnsupported; }

void try_control_record(std::string_view json) {
  auto record = decode_control_record(json);
  if (!record) {
    MUST(is_refusal(record.error()));
    return;
  }
  std::string once = encode(*record);
  auto again = decode_control_record(once);
  MUST(again && again->index() == record->index() && encode(*again) == once);
}

void try_group_record(std::string_view json) {
  auto record = decode_group_record(json);
  if (!record) {
    MUST(is_refusal(record.error()));
    return;
  }
  if (!*record) return;
  std::string once = encode_group_record(**record);
  auto again = decode_group_record(once);
  MUST(again && *again && encode_group_record(**again) == once);
}

/// Magic, version, length and checksum are made right, or no mutation would get past them.
void try_checkpoint(ByteSpan body) {
  std::vector<std::byte> bytes;
  auto put = [&](auto value) {
    const auto* at = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), at, at + sizeof value);
  };
  put(kCheckpointMagic), put(kCheckpointVersion), put(uint32_t{0}), put(uint64_t{body.size()});
  bytes.insert(bytes.end(), body.begin(), body.end());
  put(crc32c(bytes));
  auto checkpoint = decode_checkpoint(bytes);
  if (!checkpoint) {
    MUST(is_refusal(checkpoint.error()));
    return;
  }
  auto once = encode(*checkpoint);
  auto again = decode_checkpoint(once);
  MUST(again && encode(*again) == once);
}

void try_key(std::string_view key) {
  if (auto epoch = parse_epoch_key(key)) MUST(parse_epoch_key(epoch_key(*epoch)) == epoch);
  if (auto object = parse_key(key, kObjectPrefix))
    MUST(parse_key(object_key(object->epoch, object->sequence), kObjectPrefix) == object);
  if (auto c = parse_checkpoint_key(key)) MUST(parse_checkpoint_key(checkpoint_key(c->epoch, c->sequence, 7)) == c);
}

void try_base64(std::string_view text) {
  if (auto bytes = from_base64(text)) MUST(to_base64(*bytes) == text);
  MUST(from_base64(to_base64(text)) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteSpan bytes{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  switch (data[0] % 5) {
    case 0: try_control_record(as_text(bytes)); break;
    case 1: try_group_record(as_text(bytes)); break;
    case 2: try_checkpoint(bytes); break;
    case 3: try_key(as_text(bytes)); break;
    case 4: try_base64(as_text(bytes)); break;
  }
  // Nor is the frame of a checkpoint taken on trust.
  (void)decode_checkpoint(bytes);
  return 0;
}
