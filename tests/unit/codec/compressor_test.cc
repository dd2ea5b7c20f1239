// What the compressors make, the decompressors read; and nothing is held as a whole.
#include "codec/compressor.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

using namespace topicfs;

namespace {

struct Level {
  Codec codec;
  int level;
};
// The ends of the ranges of Kafka's settings, and their defaults.
constexpr Level kLevels[] = {{Codec::none, 0}, {Codec::gzip, -1}, {Codec::gzip, 1},        {Codec::gzip, 9}, {Codec::snappy, 0},
                             {Codec::lz4, 1},  {Codec::lz4, 9},   {Codec::lz4, 17},        {Codec::zstd, 3}, {Codec::zstd, 6},
                             {Codec::zstd, 22}, {Codec::zstd, -131072}};

std::string text(size_t size) {
  std::mt19937 random(11);
  std::string made;
  while (made.size() < size) made += std::to_string(random() % 1000) + (random() % 3 ? " apples " : "\xff\x01");
  made.resize(size);
  return made;
}

/// Written in pieces of `step`.
std::string compressed(Level how, std::string_view data, size_t step, size_t* largest = nullptr) {
  std::string out;
  auto compressor = open_compressor(how.codec, how.level, [&](ByteSpan bytes) -> Result<void> {
    out += as_text(bytes);
    if (largest) *largest = std::max(*largest, bytes.size());
    return {};
  });
  REQUIRE(compressor);
  for (; !data.empty(); data.remove_prefix(std::min(step, data.size())))
    REQUIRE(compressor->write(as_byte_span(data.substr(0, step))));
  REQUIRE(compressor->finish());
  return out;
}

std::string decoded(Codec codec, std::string_view data) {
  std::string out;
  ByteSpan piece = as_byte_span(data);
  auto done = decompress(codec, PiecesSource(std::span(&piece, 1)), 1 << 30, [&](ByteSpan window) {
    out += as_text(window);
    return Flow::go_on;
  });
  CHECK_MESSAGE(done, (done ? "" : done.error().message()));
  return out;
}

}  // namespace

TEST_CASE("what a compressor makes decodes to what it was given, at every level, size and piece") {
  for (Level how : kLevels)
    for (size_t size : {0, 1, 32767, 32768, 32769, 300'000})
      for (size_t step : {1 << 20, 4096, 1}) {
        if (step == 1 && size > 40'000) continue;
        CAPTURE(name_of(how.codec));
        CAPTURE(how.level);
        CAPTURE(size);
        CAPTURE(step);
        std::string data = text(size);
        std::string made = compressed(how, data, step);
        CHECK((decoded(how.codec, made) == data));
        if (how.codec != Codec::none && size == 300'000 && how.level > -1000) CHECK(made.size() < size * 3 / 4);
      }
}

TEST_CASE("output leaves in pieces of a bounded size") {
  const std::string data = text(3 << 20);
  for (Level how : kLevels) {
    if (how.codec == Codec::none) continue;
    CAPTURE(name_of(how.codec));
    size_t largest = 0;
    compressed(how, data, data.size(), &largest);
    CHECK(largest <= (80u << 10));
  }
}

TEST_CASE("a sink that refuses ends it with its own error") {
  const std::string data = text(300'000);
  for (Level how : kLevels) {
    CAPTURE(name_of(how.codec));
    size_t room = 1000;
    auto compressor = open_compressor(how.codec, how.level, [&](ByteSpan bytes) -> Result<void> {
      if (bytes.size() > room) return fail(Errc::kTooLarge, "enough");
      room -= bytes.size();
      return {};
    });
    REQUIRE(compressor);
    auto done = compressor->write(as_byte_span(data));
    if (done) done = compressor->finish();
    REQUIRE_FALSE(done);
    CHECK(done.error().code == Errc::kTooLarge);
  }
}
