// Runs a fuzz target over files and directories of inputs, without libFuzzer: so the corpora are
// regression tests with every compiler. Each input is also cut off at up to kCuts places.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kCuts = 64;

/// A heap copy of exactly that size, so that a sanitizer sees the first byte read too far.
void run(const std::vector<char>& bytes, size_t size) {
  const auto copy = std::make_unique<uint8_t[]>(size);
  std::copy_n(bytes.begin(), size, copy.get());
  LLVMFuzzerTestOneInput(copy.get(), size);
}

size_t replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  run(bytes, bytes.size());
  const size_t step = bytes.size() / kCuts + 1;
  for (size_t size = 0; size < bytes.size(); size += step) run(bytes, size);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  size_t inputs = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i])) inputs += replay(entry.path());
    } else if (std::filesystem::is_regular_file(argv[i])) {
      inputs += replay(argv[i]);
    }
  }
  std::printf("%zu inputs\n", inputs);
  return inputs == 0;  // an empty corpus tests nothing
}
