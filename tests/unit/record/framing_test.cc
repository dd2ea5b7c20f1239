#include "record/framing.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "record/builder.h"
#include "record/lines.h"

using namespace topicfs;

namespace {

/// Plans and accepts one write; what it appended, "..." behind an unfinished line.
std::string write(LineFramer& framer, const std::string& data, Unfinished unfinished = Unfinished::hold) {
  const FramingPlan plan = framer.plan(as_byte_span(data), unfinished);
  std::string appended;
  for (ByteSpan piece : plan.pieces()) appended += as_text(piece);
  CHECK(appended.size() == plan.size());
  if (plan.last() == LastLine::unfinished) appended += "...";
  framer.accept(plan);
  return appended;
}

/// The records that a text becomes: "~" behind a partial one, "|" between them.
std::string split(const std::vector<ByteSpan>& pieces, size_t max_value_bytes) {
  LineSplitter lines(pieces, max_value_bytes);
  std::string out;
  size_t text_bytes = 0;
  for (Line line; lines.next(line);) {
    if (text_bytes != 0) out += "|";
    lines.read_value(line, [&](ByteSpan bytes) { out += as_text(bytes); });
    if (line.ending == Ending::partial) out += "~";
    text_bytes += line.text_bytes();
    CHECK(text_bytes == lines.consumed_bytes());
  }
  return out;
}

}  // namespace

TEST_CASE("complete lines go at once, with what was pending in front; the rest is held") {
  LineFramer framer;
  CHECK(write(framer, "a\nb\n") == "a\nb\n");
  CHECK(write(framer, "c\nde") == "c\n");
  CHECK(as_text(framer.pending()) == "de");
  CHECK(write(framer, "f") == "");
  CHECK(write(framer, "") == "");
  CHECK(write(framer, "g\nh\ni") == "defg\nh\n");
  CHECK(as_text(framer.pending()) == "i");
}

TEST_CASE("a large unfinished line stays in the memory that it came in") {
  LineFramer framer;
  auto memory = std::shared_ptr<std::byte>(new std::byte[kLeastKeptBytes + 2], std::default_delete<std::byte[]>());
  std::byte* const at = memory.get();
  std::fill_n(at, kLeastKeptBytes + 2, std::byte{'x'});
  at[1] = std::byte{'\n'};
  const std::string line(kLeastKeptBytes, 'x');

  const FramingPlan plan = framer.plan({at, kLeastKeptBytes + 1});  // one byte too few
  framer.accept(plan, &memory);
  CHECK(memory);
  CHECK(framer.held_bytes() < kMaxKeptMemoryBytes);
  framer.clear();
  framer.accept(framer.plan({at, kLeastKeptBytes + 2}), &memory);
  CHECK_FALSE(memory);
  CHECK(framer.pending().data() == at + 2);
  CHECK(framer.held_bytes() == kMaxKeptMemoryBytes);

  SUBCASE("until it is complete") { CHECK(write(framer, "y\nz") == line + "y\n"); }
  SUBCASE("until more of it comes") {
    CHECK(write(framer, "") == "");
    CHECK(framer.pending().data() == at + 2);
    CHECK(write(framer, "y") == "");
    CHECK(as_text(framer.pending()) == line + "y");
    CHECK(framer.held_bytes() == line.size() + 1);
    CHECK(write(framer, "\nz") == line + "y\n");
  }
  SUBCASE("until it is released") {
    CHECK(write(framer, "z", Unfinished::release) == line + "z...");
    write(framer, "z");
  }
  CHECK(as_text(framer.pending()) == "z");
}

TEST_CASE("a release makes the pending part, and the write's own, a record") {
  LineFramer framer;
  CHECK(write(framer, "", Unfinished::release) == "");
  CHECK(write(framer, "ab") == "");
  CHECK(write(framer, "", Unfinished::release) == "ab...");
  CHECK(framer.pending().empty());
  write(framer, "cd");
  CHECK(write(framer, "e\nfg", Unfinished::release) == "cde\nfg...");
  CHECK(write(framer, "h\n", Unfinished::release) == "h\n");
}

TEST_CASE("a line that grows beyond the bound is cut and goes") {
  LineFramer framer(4);
  CHECK(write(framer, "1234") == "");
  CHECK(write(framer, "5") == "12345...");
  CHECK(write(framer, "x\n12345") == "x\n12345...");
  CHECK(write(framer, "x\n1234") == "x\n");
  CHECK(as_text(framer.pending()) == "1234");
}

TEST_CASE("a plan that is not accepted has changed nothing") {
  LineFramer framer;
  write(framer, "ab");
  CHECK(framer.plan(as_byte_span("c\nd")).size() == 4);
  CHECK(as_text(framer.pending()) == "ab");
  CHECK(write(framer, "c\n") == "abc\n");
}

TEST_CASE("a text splits into lines, over pieces, each byte once") {
  CHECK(split({as_byte_span("one\ntwo\n")}, 100) == "one|two");
  CHECK(split({as_byte_span("one\ntwo")}, 100) == "one|two~");
  CHECK(split({as_byte_span("o"), as_byte_span(""), as_byte_span("ne\nt"), as_byte_span("wo\n"),
               as_byte_span("")},
              100) == "one|two");
  CHECK(split({as_byte_span("one"), as_byte_span("\n")}, 100) == "one");
  CHECK(split({as_byte_span("\n\n")}, 100) == "|");
  CHECK(split({}, 100) == "");
}

TEST_CASE("a line beyond the value limit becomes partial records; one of just the limit does not") {
  CHECK(split({as_byte_span("abc\nd")}, 3) == "abc|d~");
  CHECK(split({as_byte_span("abcd\n")}, 3) == "abc~|d");
  CHECK(split({as_byte_span("abcdefg")}, 3) == "abc~|def~|g~");
  CHECK(split({as_byte_span("abc"), as_byte_span("\nd\n")}, 3) == "abc|d");
  CHECK(split({as_byte_span("abc"), as_byte_span("d\n")}, 3) == "abc~|d");
  CHECK(split({as_byte_span("abc")}, 3) == "abc~");
}

TEST_CASE("lines whose sizes are known are found in the text however it is cut") {
  const std::vector<ByteSpan> text{as_byte_span("a\nlonger"), as_byte_span(""), as_byte_span(" than that\n\nend"),
                                   as_byte_span("s\npartial")};
  const std::vector<ByteSpan> joined{as_byte_span("a\nlonger than that\n\nends\npartial")};
  const auto value = [](const LineSplitter& lines, const Line& line) {
    std::string bytes;
    lines.read_value(line, [&](ByteSpan part) { bytes += as_text(part); });
    return bytes;
  };
  for (size_t limit : {2u, 5u, 100u}) {
    LineSplitter looking(text, limit), same(text, limit), other(joined, limit);
    for (Line line; looking.next(line);) {
      for (LineSplitter* taking : {&same, &other}) {
        CHECK(value(*taking, taking->take(line.size, line.ending)) == value(looking, line));
        CHECK(taking->consumed_bytes() == looking.consumed_bytes());
      }
    }
    Line line;
    CHECK_FALSE(same.next(line));
    CHECK_FALSE(other.next(line));
  }
}

TEST_CASE("one line may be demanded, however long") {
  const std::vector<ByteSpan> text{as_byte_span("aaaa\nb\n")};
  LineSplitter lines(text, 100);
  CHECK(plan_records(lines, 0, 0, 1).record_count == 0);
  CHECK(plan_records(lines, 0, 0, 1, Least::one).record_count == 1);
  CHECK(plan_records(lines, 0, 0, 1, Least::one).text_bytes == 2);
  CHECK(plan_records(lines, 0, 0, 1, Least::one).record_count == 0);
}

TEST_CASE("plans stop where a batch is full, and go on from there") {
  const std::vector<ByteSpan> text{as_byte_span("aaaa\nbbbb\ncccc\n")};
  LineSplitter lines(text, 100);
  const size_t two = 2 * record_size(4, 0, 0, Ending::newline);
  const LinesPlan first = plan_records(lines, 0, 0, two);
  CHECK(first.record_count == 2);
  CHECK(first.records_bytes == two);
  CHECK(first.text_bytes == 10);
  CHECK(lines.consumed_bytes() == 10);
  CHECK(plan_records(lines, 0, 0, two / 2 - 1).record_count == 0);
  CHECK(lines.consumed_bytes() == 10);
  CHECK(plan_records(lines, 0, 0, two).record_count == 1);
  CHECK(plan_records(lines, 0, 0, two).record_count == 0);
}
