#include "io/direct_file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/huge_pages.h"
#include "base/unique_fd.h"
#include "support/temporary_directory.h"

using namespace topicfs;

namespace {

struct Fixture {
  TemporaryDirectory directory;
  UniqueFd fd{::open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  DirectBuffers buffers;
  TakeMemory take = [this](size_t size) { return buffers.take(size); };

  std::vector<std::byte> write(const std::string& name, size_t size) {
    std::vector<std::byte> bytes(size);
    for (size_t i = 0; i < size; i++) bytes[i] = static_cast<std::byte>(i * 7 + i / 4096);
    auto file = create_direct(fd.get(), name, name).value();
    std::vector<ByteSpan> pieces;
    for (size_t at = 0; at < size; at += 700'001) pieces.push_back(ByteSpan(bytes).subspan(at, std::min<size_t>(size - at, 700'001)));
    REQUIRE(write_direct(file, pieces, buffers, name));
    return bytes;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a direct read brings exactly the range, wherever it begins and ends") {
  const auto bytes = write("f", 3 * 4096 + 100);
  auto file = open_direct(fd.get(), "f", "f").value();
  struct { size_t at, size; } ranges[] = {{0, 1}, {0, 4096}, {1, 4096}, {4095, 2}, {4096, 8192}, {12287, 101}, {0, bytes.size()}};
  for (auto [at, size] : ranges) {
    auto read = read_direct(file, at, size, take, "f").value();
    CAPTURE(at);
    REQUIRE(read.bytes.size() == size);
    CHECK(std::memcmp(read.bytes.data(), bytes.data() + at, size) == 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "a direct read beyond the end of a file is an error, not zeros") {
  write("f", 5000);
  auto file = open_direct(fd.get(), "f", "f").value();
  CHECK(read_direct(file, 4096, 904, take, "f"));
  CHECK(read_direct(file, 4096, 905, take, "f").error().code == Errc::kCorrupt);
  CHECK(read_direct(file, 4096, 8192, take, "f").error().code == Errc::kCorrupt);
  CHECK(read_direct(file, 8192, 1, take, "f").error().code == Errc::kCorrupt);
}

TEST_CASE_FIXTURE(Fixture, "what is not there, or is behind a symbolic link, does not open") {
  write("f", 10);
  REQUIRE(::symlinkat("f", fd.get(), "link") == 0);
  CHECK(open_direct(fd.get(), "none", "none").error().code == Errc::kNotFound);
  CHECK_FALSE(open_direct(fd.get(), "link", "link"));
}

TEST_CASE_FIXTURE(Fixture, "a file of many pieces, longer than what is written at a time, has all of them in order") {
  const auto bytes = write("long", (5 << 20) + 77);
  auto file = open_direct(fd.get(), "long", "long").value();
  auto read = read_direct(file, 0, bytes.size(), take, "long").value();
  CHECK(std::memcmp(read.bytes.data(), bytes.data(), bytes.size()) == 0);
  write("none", 0);
}

TEST_CASE("a large buffer lies where huge pages fit, and is used again when its reader has let go of it, not before") {
  DirectBuffers buffers;
  auto first = buffers.take(1'000'000);
  std::byte* at = first.get();
  CHECK(reinterpret_cast<uintptr_t>(at) % kHugePageBytes == 0);
  auto second = buffers.take(1'000'000);
  CHECK(second.get() != at);
  first.reset();
  CHECK(buffers.take(600'000).get() == at);
}

TEST_CASE("of the buffers that fit the smallest is used, and small ones take no huge page") {
  DirectBuffers buffers;
  auto large = buffers.take(5 << 20), small = buffers.take(1 << 20);
  std::byte *large_at = large.get(), *small_at = small.get();
  large.reset();
  small.reset();
  CHECK(buffers.take(4096).get() != small_at);
  auto again = buffers.take(1 << 20);
  CHECK(again.get() == small_at);
  CHECK(buffers.take(2 << 20).get() == large_at);
}
