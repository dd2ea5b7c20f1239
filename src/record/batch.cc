#include "record/batch.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "codec/byte_source.h"
#include "codec/crc32c.h"
#include "codec/endian.h"

namespace topicfs {
namespace {

constexpr int32_t kMinBatchLength = kBatchHeaderBytes - kBatchLengthEnd;

/// Calls `f` with every field and where it stands: the grammar of batch.h, once for both ways.
template <class Header, class F>
void for_each_field(Header& h, F&& f) {
  f(0, h.base_offset.v);
  f(8, h.batch_length);
  f(12, h.partition_leader_epoch);
  f(16, h.magic);
  f(kBatchCrcOffset, h.crc);
  f(kBatchCrcStart, h.attributes);
  f(23, h.last_offset_delta);
  f(27, h.base_timestamp);
  f(35, h.max_timestamp);
  f(43, h.producer_id);
  f(51, h.producer_epoch);
  f(53, h.base_sequence);
  f(57, h.record_count);
}

Result<BatchHeader> check(const BatchHeader& h) {
  if (h.magic != kBatchMagic)
    return fail(Errc::kUnsupported, fmt::format("record batch of magic {}", h.magic));
  if (h.batch_length < kMinBatchLength || h.record_count < 0 || h.last_offset_delta < 0)
    return fail(Errc::kCorrupt, "record batch header is damaged: a length or count is impossible");
  if (!h.has_known_codec())
    return fail(Errc::kUnsupported, fmt::format("record batch with unknown codec {}", h.raw_codec()));
  return h;
}

}  // namespace

BatchHeader BatchHeader::load(const BatchHeaderBytes& bytes) {
  BatchHeader h;
  for_each_field(h, [&](size_t at, auto& field) {
    field = load_be<std::remove_reference_t<decltype(field)>>(bytes.data() + at);
  });
  return h;
}

void BatchHeader::store(BatchHeaderBytes& bytes) const {
  for_each_field(*this, [&](size_t at, const auto& field) { store_be(bytes.data() + at, field); });
}

Result<BatchHeader> BatchHeader::parse(ByteSpan batch) { return parse(std::span(&batch, 1)); }

Result<BatchHeader> BatchHeader::parse(std::span<const ByteSpan> pieces) {
  BatchHeaderBytes bytes;
  if (!copy_from_pieces(pieces, 0, bytes)) return fail(Errc::kCorrupt, "record batch header is cut off");
  return check(load(bytes));
}

void stamp_offset(std::span<std::byte, kBatchHeaderBytes> header, Offset base_offset,
                  int32_t partition_leader_epoch) {
  store_be(header.data(), base_offset.v);
  store_be(header.data() + 12, partition_leader_epoch);
}

void rewrite_times(std::span<std::byte, kBatchHeaderBytes> header, TimestampType type,
                   int64_t max_timestamp) {
  BatchHeaderBytes bytes;
  std::memcpy(bytes.data(), header.data(), bytes.size());
  BatchHeader h = BatchHeader::load(bytes);
  MUST(h.batch_length >= kMinBatchLength);
  const auto tail_crc = [&] { return crc32c(ByteSpan(bytes).subspan(kBatchCrcStart)); };
  const uint32_t before = tail_crc();
  h.max_timestamp = max_timestamp;
  h.attributes =
      static_cast<int16_t>(type == TimestampType::log_append_time ? h.attributes | kAttributeLogAppendTime
                                                                  : h.attributes & ~kAttributeLogAppendTime);
  h.store(bytes);
  // CRCs are linear: two inputs that differ in the header alone differ in their CRC by the
  // headers' difference, moved past the records.
  h.crc ^= crc32c_combine(before ^ tail_crc(), 0, h.records_size_bytes());
  h.store(bytes);
  std::memcpy(header.data(), bytes.data(), bytes.size());
}

bool has_valid_crc(const BatchHeader& header, std::span<const ByteSpan> pieces) {
  const size_t size = header.size_bytes() - kBatchCrcStart;
  PiecesSource source(pieces, kBatchCrcStart, size);
  if (source.remaining() != size) return false;
  uint32_t crc = 0;
  for (ByteSpan piece = source.take(); !piece.empty(); piece = source.take()) crc = crc32c(piece, crc);
  return crc == header.crc;
}

}  // namespace topicfs
