#include "record/text.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/batches.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

/// Records without a batch around them, as the newest batch of a file has.
struct Records {
  std::string bytes;
  ByteSpan piece;
  RecordsView view;

  Records(const std::vector<TestRecord>& records, Codec codec = Codec::none)
      : bytes(compress(codec, encode_records(records))), piece(as_byte_span(bytes)) {
    view = {std::span(&piece, 1), 0, bytes.size(), codec, static_cast<int32_t>(records.size()), false};
  }
  Records(const Records&) = delete;

  Result<std::string> text(uint64_t size, uint64_t skip, size_t max) const {
    std::string out(max, '?');
    TRY_ASSIGN(size_t n, render_text(view, size, skip, {reinterpret_cast<std::byte*>(out.data()), max}));
    return out.substr(0, n);
  }
};

bool lies_in(ByteSpan piece, const std::string& memory) {
  return piece.data() >= as_byte_span(memory).data() &&
         piece.data() + piece.size() <= as_byte_span(memory).data() + memory.size();
}

std::string joined(const TextGather& gather) {
  std::string out;
  for (ByteSpan piece : gather.pieces()) out += as_text(piece);
  return out;
}

const std::string kMarker(kPartialHeaderKey);

}  // namespace

TEST_CASE("every window of the text is the window of the whole") {
  const std::string whole = "one\n\n\ntwo\nlines\nmarkedend\n";
  for (Codec codec : {Codec::none, Codec::lz4}) {
    const Records records({{.value = "one"},
                           {.value = ""},
                           {.value = std::nullopt},
                           {.value = "two\nlines"},
                           {.value = "marked", .headers = {{kMarker, std::nullopt}}},
                           {.value = "end"}},
                          codec);
    for (size_t skip = 0; skip <= whole.size(); ++skip) {
      for (size_t max = 0; max <= whole.size() + 3; ++max)
        CHECK(records.text(whole.size(), skip, max).value() == whole.substr(skip, max));
    }
  }
}

TEST_CASE("a control batch shows as nothing") {
  Records records({{.value = "marker"}});
  records.view.is_control = true;
  CHECK(records.text(0, 0, 10).value() == "");
  CHECK(records.text(7, 0, 10).error().code == Errc::kCorrupt);
}

TEST_CASE("a batch whose text is longer or shorter than it was counted is corrupt") {
  for (Codec codec : {Codec::none, Codec::zstd}) {
    const Records records({{.value = "abc"}, {.value = "de"}}, codec);
    CHECK(records.text(7, 0, 100).value() == "abc\nde\n");
    CHECK(records.text(8, 0, 100).error().code == Errc::kCorrupt);
    for (uint64_t size = 1; size < 7; ++size)
      CHECK(records.text(size, 0, 100).error().code == Errc::kCorrupt);
    CHECK(records.text(100, 90, 5).error().code == Errc::kCorrupt);
    CHECK(records.text(8, 0, 7).value() == "abc\nde\n");  // the damage lies behind
  }
}

TEST_CASE("damaged records are corrupt, and the text gathered before them stays") {
  const Records good({{.value = "good"}});
  Records bad({{.value = std::string(5000, 'x')}, {.value = "y"}});
  bad.bytes[bad.bytes.size() - 4] = '\x7f';
  TextGather gather(100'000);
  CHECK(gather.add(good.view, 5, 0).has_value());
  CHECK(gather.add(bad.view, 5003, 0).error().code == Errc::kCorrupt);
  CHECK(joined(gather) == "good\n");
  CHECK(gather.size() == 5);
  CHECK(gather.add(good.view, 5, 0).has_value());
  CHECK(joined(gather) == "good\ngood\n");
}

TEST_CASE("large values of plain batches stay where they are, small and compressed ones are copied") {
  const std::string large(TextGather::kMinDirectBytes, 'L'), small(TextGather::kMinDirectBytes - 1, 's');
  const Records plain({{.value = large}, {.value = small}, {.value = large}});
  const std::string text = large + "\n" + small + "\n" + large + "\n";
  TextGather gather(100'000);
  CHECK(gather.add(plain.view, text.size(), 0).has_value());
  CHECK(joined(gather) == text);
  REQUIRE(gather.pieces().size() == 4);
  CHECK(lies_in(gather.pieces()[0], plain.bytes));
  CHECK_FALSE(lies_in(gather.pieces()[1], plain.bytes));
  CHECK(gather.pieces()[1].size() == small.size() + 2);
  CHECK(lies_in(gather.pieces()[2], plain.bytes));

  const Records packed({{.value = large}}, Codec::gzip);
  TextGather copies(100'000);
  CHECK(copies.add(packed.view, large.size() + 1, 0).has_value());
  CHECK(copies.pieces().size() == 1);
  CHECK(joined(copies) == large + "\n");
}

TEST_CASE("a gather has a bounded number of pieces and never more bytes than were asked for") {
  std::vector<TestRecord> many(2 * TextGather::kMaxPieces,
                               {.value = std::string(TextGather::kMinDirectBytes, 'x')});
  const Records records(many);
  const uint64_t size = many.size() * (TextGather::kMinDirectBytes + 1);
  TextGather gather(size - 3);
  CHECK(gather.add(records.view, size, 0).has_value());
  CHECK(gather.pieces().size() <= TextGather::kMaxPieces);
  CHECK(gather.is_full());
  CHECK(joined(gather) == records.text(size, 0, size - 3).value());
  gather.add_copy(as_byte_span("more"));
  CHECK(gather.size() == size - 3);
}

TEST_CASE("any damage to stored records is an error or text of the asked length, never a crash") {
  for (Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    Records records({{.value = "some value", .key = "k"}, {.value = "x", .headers = {{kMarker, ""}}}}, codec);
    for (size_t bit = 0; bit < records.bytes.size() * 8; ++bit) {
      char& byte = records.bytes[bit / 8];
      byte = static_cast<char>(byte ^ (1 << bit % 8));
      for (size_t skip : {0u, 5u, 11u}) {
        const auto text = records.text(12, skip, 100);
        if (text)
          CHECK(text->size() == 12 - skip);
        else
          CHECK(text.error().code == Errc::kCorrupt);
      }
      byte = static_cast<char>(byte ^ (1 << bit % 8));
    }
  }
}
