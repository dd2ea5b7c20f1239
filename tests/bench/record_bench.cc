// How fast batches are validated, rendered and built: MB of text per second of processor time, so
// that a busy machine disturbs little. One line per case; run it on a release build.
#include <fmt/core.h>
#include <time.h>

#include <string>
#include <vector>

#include "record/builder.h"
#include "record/text.h"
#include "record/validate.h"
#include "support/batches.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

constexpr size_t kBatchBytes = 1'000'000;
constexpr double kRunForSeconds = 0.3;

double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// Runs `once`, which goes through `bytes`, for a while.
template <class F>
void measure(std::string_view what, Codec codec, size_t value_bytes, size_t bytes, F&& once) {
  const double start = processor_seconds();
  uint64_t runs = 0;
  while (processor_seconds() - start < kRunForSeconds) once(), ++runs;
  const double seconds = processor_seconds() - start;
  fmt::print("{:16} {:12} {:6} B values {:8.0f} MB/s\n", what, name_of(codec), value_bytes,
             static_cast<double>(runs * bytes) / seconds / 1e6);
}

std::string value_of(size_t size) {
  std::string value;
  for (unsigned x = 12345; value.size() < size; x = x * 1103515245 + 12345)
    value += std::to_string(x >> 16) + " ";
  return value.substr(0, size);
}

int run() {
  for (size_t value_bytes : {10, 100, 1000, 10'000}) {
    const std::string value = value_of(value_bytes);
    const std::vector<TestRecord> records(kBatchBytes / (value_bytes + 8), {.value = value, .key = ""});
    for (Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
      const std::string batch = encode_batch(records, codec);
      const ByteSpan bytes = as_byte_span(batch);
      const auto valid = validate_batch(bytes, {.max_batch_bytes = 2 * kBatchBytes});
      if (!valid) return fmt::print("{}\n", valid.error().what), 1;
      const size_t text_size = valid->text_size_bytes;
      measure("validate", codec, value_bytes, text_size,
              [&] { (void)validate_batch(bytes, {.max_batch_bytes = 2 * kBatchBytes}); });
      const RecordsView view = *RecordsView::of_batch(valid->header, std::span(&bytes, 1));
      std::vector<std::byte> out(text_size);
      measure("render", codec, value_bytes, text_size, [&] { (void)render_text(view, text_size, 0, out); });
      measure("gather", codec, value_bytes, text_size, [&] {
        TextGather gather(text_size);
        (void)gather.add(view, text_size, 0);
      });
    }
    std::string text;
    while (text.size() < kBatchBytes) text += value + "\n";
    const ByteSpan piece = as_byte_span(text);
    std::vector<std::byte> out(2 * kBatchBytes);
    measure("plan and build", Codec::none, value_bytes, text.size(), [&] {
      LineSplitter lines(std::span(&piece, 1), kMaxValueBytes);
      LineSplitter writing = lines;
      const LinesPlan plan = plan_records(lines, 0, 0, out.size());
      std::byte* to = out.data();
      write_records(writing, plan, 0, 0,
                    [&](ByteSpan b) { to = std::copy(b.begin(), b.end(), to); });
      const ByteSpan built(out.data(), plan.records_bytes);
      (void)finish_header({.record_count = plan.record_count, .records_bytes = built.size()},
                          std::span(&built, 1));
    });
  }
  return 0;
}

}  // namespace

int main() { return run(); }
