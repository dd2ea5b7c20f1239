#include "ctl/batch_check.h"

#include <fmt/core.h>

#include "record/records.h"

namespace topicfs::ctl {

Result<void> check_batch(ByteSpan batch, const SaidOfBatch& said) {
  TRY_ASSIGN(BatchHeader header, BatchHeader::parse(batch));
  if (header.size_bytes() != batch.size())
    return fail(Errc::kCorrupt, fmt::format("it says that it has {} bytes, not {}", header.size_bytes(), batch.size()));
  if (!has_valid_crc(header, {&batch, 1})) return fail(Errc::kCorrupt, "it fails its own checksum");
  if (header.base_offset != said.base || header.next_offset() != said.end)
    return fail(Errc::kCorrupt, fmt::format("it has offsets {} to {}, its entry says {} to {}", header.base_offset.v,
                                            header.next_offset().v - 1, said.base.v, said.end.v - 1));
  TRY_ASSIGN(RecordsView view, RecordsView::of_batch(header, {&batch, 1}));
  uint64_t text = 0;
  TRY(for_each_record(view, [&](const Record& r) {
    if (!view.is_control) text += r.text_bytes();
    return Flow::go_on;
  }));
  if (text != said.text_bytes)
    return fail(Errc::kCorrupt, fmt::format("it has {} bytes of text, its entry says {}", text, said.text_bytes));
  return {};
}

}  // namespace topicfs::ctl
