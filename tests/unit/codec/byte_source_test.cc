#include "codec/byte_source.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

using namespace topicfs;

namespace {
std::string drained(PiecesSource source) {
  std::string out;
  for (ByteSpan w = source.take(); !w.empty(); w = source.take()) out += as_text(w);
  return out;
}
}  // namespace

TEST_CASE("a gather list is read from any byte for any length, and no further than it goes") {
  const std::vector<ByteSpan> pieces{as_byte_span(""), as_byte_span("abc"), as_byte_span(""),
                                     as_byte_span("de"), as_byte_span("f")};
  CHECK(total_size(pieces) == 6);
  CHECK(drained(PiecesSource(pieces)) == "abcdef");
  for (size_t begin = 0; begin <= 8; ++begin) {
    for (size_t size = 0; size <= 8; ++size) {
      const std::string expected = begin < 6 ? std::string("abcdef").substr(begin, size) : "";
      CHECK(drained(PiecesSource(pieces, begin, size)) == expected);
      CHECK(PiecesSource(pieces, begin, size).remaining() == expected.size());
      std::array<std::byte, 8> to{};
      CHECK(copy_from_pieces(pieces, begin, MutableByteSpan(to).first(size)) == (expected.size() == size));
    }
  }
}
