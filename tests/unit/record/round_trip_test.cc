// From writes to a file, through framing, building and validation, to the text of the file.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "record/builder.h"
#include "record/framing.h"
#include "record/text.h"
#include "record/validate.h"
#include "support/batches.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

constexpr int64_t kNow = 1'700'000'000'000;

/// Appends text as the engine does: one batch per append, several if it grows too large.
struct Log {
  size_t max_value_bytes = 1000, max_records_bytes = 5000;
  std::vector<std::string> batches;

  void append_text(std::span<const ByteSpan> pieces) {
    LineSplitter lines(pieces, max_value_bytes);
    while (true) {
      LineSplitter writing = lines;
      const LinesPlan plan = plan_records(lines, 0, 0, max_records_bytes);
      if (plan.record_count == 0) break;
      std::string records;
      write_records(writing, plan, 0, 0, [&](ByteSpan bytes) { records += as_text(bytes); });
      CHECK(records.size() == plan.records_bytes);
      CHECK(writing.consumed_bytes() == lines.consumed_bytes());
      const BatchHeaderBytes header = finish_header(FileBatch{.record_count = plan.record_count,
                                                              .records_bytes = records.size(),
                                                              .base_timestamp = kNow,
                                                              .max_timestamp = kNow},
                                                    crc32c(as_byte_span(records)));
      batches.push_back(std::string(as_text(header)) + records);
      check(batches.back(), plan);
    }
  }

  static void check(const std::string& batch, const LinesPlan& plan) {
    auto valid = validate_batch(as_byte_span(batch), {});
    REQUIRE_MESSAGE(valid.has_value(), valid.error().what);
    CHECK(valid->record_count == plan.record_count);
    CHECK(valid->text_size_bytes == plan.text_bytes);
    CHECK(valid->max_timestamp == kNow);
    CHECK_FALSE(valid->needs_rewrite());
  }
};

std::string recompress(const std::string& batch, Codec codec) {
  BatchHeader header = *BatchHeader::parse(as_byte_span(batch));
  header.attributes = static_cast<int16_t>(codec);
  return encode_batch(header, compress(codec, std::string_view(batch).substr(kBatchHeaderBytes)),
                      header.record_count);
}

/// The batch's text from `skip` on, read in reads of `step` bytes, the batch split at `cut`.
std::string text_of(const std::string& batch, size_t step, size_t cut, uint64_t skip = 0) {
  const ByteSpan bytes = as_byte_span(batch);
  cut = std::min(cut, bytes.size());
  const std::vector<ByteSpan> pieces{bytes.first(cut), bytes.subspan(cut)};
  const BatchHeader header = *BatchHeader::parse(pieces);
  const RecordsView view = *RecordsView::of_batch(header, pieces);
  const uint64_t size = validate_batch(bytes, {})->text_size_bytes;
  std::string text;
  while (true) {
    std::string out(step, '\0');
    auto n =
        render_text(view, size, skip + text.size(), {reinterpret_cast<std::byte*>(out.data()), out.size()});
    REQUIRE_MESSAGE(n.has_value(), n.error().what);
    if (*n == 0) return text;
    TextGather gather(step);
    REQUIRE(gather.add(view, size, skip + text.size()).has_value());
    std::string gathered;
    for (ByteSpan piece : gather.pieces()) gathered += as_text(piece);
    CHECK(gathered == out.substr(0, *n));
    CHECK(gather.size() == *n);
    text += gathered;
  }
}

std::string random_text(std::mt19937& random) {
  std::string text;
  const size_t lines = random() % 60;
  for (size_t i = 0; i < lines; ++i) {
    const size_t kind = random() % 10;
    text.append(kind < 6   ? random() % 100
                : kind < 9 ? random() % 3
                           : random() % 3500,
                static_cast<char>(random()));
    if (random() % 8) text += '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("any text, written in any pieces, reads back byte for byte, compressed or not") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const std::string text = random_text(random);
    Log log;
    LineFramer framer(2000);
    for (size_t at = 0; at < text.size();) {
      const size_t n = std::min<size_t>(1 + random() % (random() % 3 ? 50 : 4000), text.size() - at);
      const FramingPlan plan = framer.plan(as_byte_span(text).subspan(at, n),
                                           random() % 10 ? Unfinished::hold : Unfinished::release);
      if (plan.appends()) log.append_text(plan.pieces());
      framer.accept(plan);
      CHECK(framer.pending().size() <= 2000);
      at += n;
    }
    const FramingPlan rest = framer.plan({}, Unfinished::release);
    log.append_text(rest.pieces());
    framer.accept(rest);
    CHECK(framer.pending().empty());

    std::string back;
    const Codec codec = static_cast<Codec>(seed % 5);
    for (const std::string& batch : log.batches) {
      const std::string stored = recompress(batch, codec);
      const size_t step = 1 + random() % 3000;
      const std::string whole = text_of(stored, step, kBatchHeaderBytes - 5 + random() % 5000);
      const size_t skip = random() % (whole.size() + 1);
      CHECK(text_of(stored, step, random() % 100, skip) == whole.substr(skip));
      back += whole;
    }
    CHECK(back == text);
  }
}
