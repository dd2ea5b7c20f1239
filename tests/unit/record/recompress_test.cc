// A batch under another codec: the same records, and a header that fits.
#include "record/recompress.h"

#include <doctest/doctest.h>

#include "support/batches.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

constexpr Codec kCodecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

std::string batch_of(Codec codec) {
  BatchHeader header;
  header.attributes = static_cast<int16_t>(codec);
  header.base_timestamp = 1000;
  header.producer_id = 7, header.producer_epoch = 2, header.base_sequence = 40;
  return encode_batch(header, {{std::string(3000, 'x'), "key", {{"h", "v"}}, 0}, {std::nullopt, "gone", {}, 5}, {"last"}});
}

std::string records_of(ByteSpan batch, const ValidatedBatch& checked) {
  ByteSpan records = batch.subspan(kBatchHeaderBytes, checked.header.records_size_bytes());
  std::string out;
  auto done = decompress(checked.codec(), PiecesSource(std::span(&records, 1)), 1 << 20, [&](ByteSpan window) {
    out += as_text(window);
    return Flow::go_on;
  });
  REQUIRE(done);
  return out;
}

}  // namespace

TEST_CASE("any codec becomes any other, with the same records, times and producer") {
  for (Codec from : kCodecs)
    for (Codec to : kCodecs) {
      CAPTURE(name_of(from));
      CAPTURE(name_of(to));
      const std::string batch = batch_of(from);
      auto before = validate_batch(as_byte_span(batch), {});
      REQUIRE(before);
      auto made = recompress_batch(*before, as_byte_span(batch), to, 1, {});
      REQUIRE_MESSAGE(made, (made ? "" : made.error().message()));
      auto after = validate_batch(*made, {});
      REQUIRE_MESSAGE(after, (after ? "" : after.error().message()));
      CHECK(after->codec() == to);
      CHECK(after->size_bytes == made->size());
      CHECK(after->record_count == 3);
      CHECK(after->text_size_bytes == before->text_size_bytes);
      CHECK(after->max_timestamp == before->max_timestamp);
      CHECK(after->header.base_timestamp == 1000);
      CHECK(after->header.producer_id == 7);
      CHECK(after->header.producer_epoch == 2);
      CHECK(after->header.base_sequence == 40);
      CHECK(records_of(*made, *after) == records_of(as_byte_span(batch), *before));
    }
}

TEST_CASE("a batch that would be too large under the topic's codec is refused as too large") {
  const std::string batch = batch_of(Codec::zstd);
  ValidateLimits limits;
  limits.max_batch_bytes = 1000;
  auto checked = validate_batch(as_byte_span(batch), limits);
  REQUIRE(checked);
  auto made = recompress_batch(*checked, as_byte_span(batch), Codec::none, 0, limits);
  REQUIRE_FALSE(made);
  CHECK(fault_of(made.error()) == BatchFault::too_large);
  CHECK(recompress_batch(*checked, as_byte_span(batch), Codec::lz4, 9, limits));
}
