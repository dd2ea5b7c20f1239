#include "support/memory_batch.h"

#include <isa-l.h>

#include <cstring>

namespace topicfs::testing {
namespace {

constexpr size_t kHeaderBytes = 61;
constexpr size_t kLengthAt = 8, kMagicAt = 16, kCrcAt = 17, kAttributesAt = 21, kLastDeltaAt = 23,
                 kBaseTimestampAt = 27, kMaxTimestampAt = 35, kProducerIdAt = 43, kEpochAt = 51,
                 kSequenceAt = 53, kCountAt = 57;
constexpr int16_t kCodecBits = 0x07, kControlBit = 0x20;
constexpr std::string_view kUnfinishedHeader = "topicfs.unfinished";

template <class T>
T load(ByteSpan bytes, size_t at) {
  std::make_unsigned_t<T> v = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    v = static_cast<std::make_unsigned_t<T>>((uint64_t{v} << 8) | std::to_integer<uint8_t>(bytes[at + i]));
  return static_cast<T>(v);
}

template <class T>
void store(MutableByteSpan bytes, size_t at, T value) {
  auto v = static_cast<uint64_t>(value);
  for (size_t i = sizeof(T); i-- > 0; v >>= 8) bytes[at + i] = static_cast<std::byte>(v);
}

uint32_t crc_of(ByteSpan batch) {
  auto* from = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(batch.data())) + kAttributesAt;
  return ~crc32_iscsi(from, static_cast<int>(batch.size() - kAttributesAt), ~0u);
}

/// Reads a record's fields; after the first impossible one every read fails.
struct Cursor {
  ByteSpan rest;
  bool good = true;

  int64_t varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && good; shift += 7) {
      if (rest.empty()) break;
      auto b = std::to_integer<uint8_t>(rest[0]);
      rest = rest.subspan(1);
      v |= uint64_t{b & 0x7fu} << shift;
      if (b < 0x80) return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
    }
    good = false;
    return 0;
  }
  ByteSpan take(int64_t n) {
    if (n < 0 || !good || static_cast<uint64_t>(n) > rest.size()) {
      good = good && n < 0;  // a negative length is null
      return {};
    }
    auto taken = rest.first(static_cast<size_t>(n));
    rest = rest.subspan(taken.size());
    return taken;
  }
};

void put_varint(std::vector<std::byte>& out, int64_t value) {
  auto v = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; v >= 0x80; v >>= 7) out.push_back(static_cast<std::byte>(v | 0x80));
  out.push_back(static_cast<std::byte>(v));
}
void put(std::vector<std::byte>& out, std::string_view text) {
  auto bytes = as_byte_span(text);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

struct Value {
  std::string_view bytes;
  bool unfinished = false;
};

void put_record(std::vector<std::byte>& out, int32_t delta, Value value) {
  std::vector<std::byte> body;
  body.push_back({});       // attributes
  put_varint(body, 0);      // timestamp delta
  put_varint(body, delta);  // offset delta
  put_varint(body, -1);     // no key
  put_varint(body, static_cast<int64_t>(value.bytes.size()));
  put(body, value.bytes);
  put_varint(body, value.unfinished ? 1 : 0);
  if (value.unfinished) {
    put_varint(body, kUnfinishedHeader.size());
    put(body, kUnfinishedHeader);
    put_varint(body, 0);
  }
  put_varint(out, static_cast<int64_t>(body.size()));
  out.insert(out.end(), body.begin(), body.end());
}

std::vector<std::byte> build(std::span<const Value> values, WallMilliseconds timestamp) {
  std::vector<std::byte> out(kHeaderBytes);
  int32_t delta = 0;
  for (auto& value : values) put_record(out, delta++, value);
  store<int32_t>(out, kLengthAt, static_cast<int32_t>(out.size() - kLengthAt - 4));
  store<int8_t>(out, kMagicAt, 2);
  store<int32_t>(out, kLastDeltaAt, delta - 1);
  store<int64_t>(out, kBaseTimestampAt, timestamp.count());
  store<int64_t>(out, kMaxTimestampAt, timestamp.count());
  store<int64_t>(out, kProducerIdAt, -1);
  store<int16_t>(out, kEpochAt, -1);
  store<int32_t>(out, kSequenceAt, -1);
  store<int32_t>(out, kCountAt, delta);
  store<uint32_t>(out, kCrcAt, crc_of(out));
  return out;
}

/// One record of `rest` into `batch`; false if it does not parse.
bool parse_record(Cursor& rest, int64_t base_timestamp, bool control, MemoryBatch& batch) {
  Cursor record{rest.take(rest.varint())};
  if (!rest.good || record.rest.empty()) return false;
  record.take(1);
  int64_t timestamp = base_timestamp + record.varint();
  int64_t delta = record.varint();
  record.take(record.varint());
  auto value = record.take(record.varint());
  bool unfinished = false;
  for (int64_t headers = record.varint(); headers > 0 && record.good; --headers) {
    auto key = record.take(record.varint());
    record.take(record.varint());
    unfinished = unfinished || as_text(key) == kUnfinishedHeader;
  }
  if (!record.good || !record.rest.empty()) return false;
  if (delta != static_cast<int64_t>(batch.records.size())) return false;
  batch.records.push_back({static_cast<int32_t>(delta), timestamp});
  if (control) return true;
  batch.text += as_text(value);
  if (!unfinished) batch.text += '\n';
  return true;
}

}  // namespace

Result<MemoryBatch> parse_batch(ByteSpan bytes) {
  if (bytes.size() < kHeaderBytes) return fail(Errc::kCorrupt, "a batch shorter than its header");
  if (load<int8_t>(bytes, kMagicAt) != 2) return fail(Errc::kUnsupported, "only batches of magic 2 are served");
  if (load<int32_t>(bytes, kLengthAt) != static_cast<int64_t>(bytes.size() - kLengthAt - 4))
    return fail(Errc::kCorrupt, "the batch's length is not what was sent");
  if (load<uint32_t>(bytes, kCrcAt) != crc_of(bytes)) return fail(Errc::kCorrupt, "the batch fails its CRC");
  auto attributes = load<int16_t>(bytes, kAttributesAt);
  if (attributes & kCodecBits) return fail(Errc::kUnsupported, "compressed batches are not served");
  MemoryBatch batch;
  batch.last_offset_delta = load<int32_t>(bytes, kLastDeltaAt);
  auto count = load<int32_t>(bytes, kCountAt);
  if (count <= 0 || batch.last_offset_delta != count - 1)
    return fail(Errc::kInvalidArgument, "a batch must count at least one record, and its offsets");
  Cursor rest{bytes.subspan(kHeaderBytes)};
  for (int32_t i = 0; i < count; ++i)
    if (!parse_record(rest, load<int64_t>(bytes, kBaseTimestampAt), attributes & kControlBit, batch))
      return fail(Errc::kCorrupt, "a record of the batch does not parse");
  return batch;
}

void stamp_offset(MutableByteSpan batch, Offset base) { store<int64_t>(batch, 0, base.v); }
Offset base_offset_of(ByteSpan batch) { return Offset(load<int64_t>(batch, 0)); }

std::vector<std::byte> build_batch(std::string_view text, LastLine last, WallMilliseconds timestamp) {
  std::vector<Value> values;
  while (!text.empty()) {
    auto end = text.find('\n');
    bool cut = end == text.npos;
    values.push_back({text.substr(0, end), cut && last == LastLine::unfinished});
    text.remove_prefix(cut ? text.size() : end + 1);
  }
  return build(values, timestamp);
}

std::vector<std::byte> build_batch(std::span<const std::string_view> texts, WallMilliseconds timestamp) {
  std::vector<Value> values;
  for (auto text : texts) values.push_back({text});
  return build(values, timestamp);
}

}  // namespace topicfs::testing
