// A batch from a producer: validated, and if valid, rendered, searched and rewritten. The CRC is
// made right first, or no mutation would get past it.
#include <algorithm>
#include <vector>

#include "base/check.h"
#include "codec/crc32c.h"
#include "codec/endian.h"
#include "record/text.h"
#include "record/timestamps.h"
#include "record/validate.h"

using namespace topicfs;

namespace {

constexpr uint64_t kMaxTextBytes = 1 << 20;

void correct_crc(std::vector<std::byte>& batch) {
  if (batch.size() < kBatchHeaderBytes) return;
  const int32_t length = load_be<int32_t>(batch.data() + 8);
  if (length < 49 || static_cast<size_t>(length) + kBatchLengthEnd > batch.size()) return;
  const size_t size = static_cast<size_t>(length) + kBatchLengthEnd;
  store_be(batch.data() + kBatchCrcOffset, crc32c(ByteSpan(batch).first(size).subspan(kBatchCrcStart)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> batch(size);
  std::transform(data, data + size, batch.begin(), [](uint8_t b) { return std::byte{b}; });
  correct_crc(batch);
  const auto valid = validate_batch(batch, {.max_text_bytes = kMaxTextBytes});
  if (!valid) {
    MUST(fault_of(valid.error()).has_value());
    return 0;
  }
  const ByteSpan bytes = ByteSpan(batch).first(valid->size_bytes);
  const size_t cut = bytes.size() / 2;
  const ByteSpan pieces[] = {bytes.first(cut), bytes.subspan(cut)};
  const auto header = BatchHeader::parse(pieces);
  MUST(header.has_value());
  const auto view = RecordsView::of_batch(*header, pieces);
  MUST(view.has_value());

  std::vector<std::byte> text(valid->text_size_bytes + 1);
  MUST(render_text(*view, valid->text_size_bytes, 0, text) == valid->text_size_bytes);
  TextGather gather(valid->text_size_bytes);
  MUST(gather.add(*view, valid->text_size_bytes, 0).has_value());
  size_t at = 0;
  for (ByteSpan piece : gather.pieces()) {
    MUST(std::equal(piece.begin(), piece.end(), text.begin() + static_cast<std::ptrdiff_t>(at)));
    at += piece.size();
  }
  MUST(at == valid->text_size_bytes);

  const auto latest = find_max_timestamp(*header, *view, header->base_offset);
  MUST(latest.has_value() && latest->has_value());
  if (!header->has_log_append_time() && valid->max_timestamp != kNoTimestamp)
    MUST((*latest)->timestamp == valid->max_timestamp);

  BatchHeaderBytes stamped;
  header->store(stamped);
  rewrite_times(stamped, TimestampType::log_append_time, 12345);
  const ByteSpan rewritten[] = {stamped, bytes.subspan(kBatchHeaderBytes)};
  MUST(has_valid_crc(BatchHeader::load(stamped), rewritten));
  return 0;
}
