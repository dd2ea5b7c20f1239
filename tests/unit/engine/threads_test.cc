// The engine with its real threads, files and clock, for the thread sanitizer: what single-threaded tests cannot see.
// The oracle is the simulation's: every answer gives an append its place, and what is read there must be its bytes.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "object/dir/dir_store.h"
#include "support/engine_views.h"
#include "support/temporary_directory.h"

using namespace topicfs;

namespace {

constexpr int kWriters = 4, kPartitions = 4, kLines = 300;

std::unique_ptr<ObjectStore> store_in(const std::string& directory) {
  auto opened = DirStore::open(directory + "/store");
  REQUIRE(opened);
  return std::move(*opened);
}

/// A line of its own for each append, short and long ones.
std::string line(int writer, int n) {
  return std::to_string(writer) + "/" + std::to_string(n) + std::string(n % 40 == 0 ? 30'000 : 100, 'x') + "\n";
}

/// An append and its answer.
struct Written {
  size_t partition;
  std::string text;
  Appended answer;
};

std::vector<Written> write_lines(RealEngine& e, const std::vector<PartitionId>& partitions, int writer) {
  std::vector<Written> written;
  for (int n = 0; n < kLines; n++) {
    std::string text = line(writer, n);
    ByteSpan piece = as_byte_span(text);
    Ack ack = n % 3 == 0 ? Ack::buffered : Ack::durable;
    auto partition = static_cast<size_t>(n % kPartitions);
    auto answer = RealEngine::wait_for<Appended>([&](auto done) {
      e->append_text(partitions[partition], {&piece, 1}, LastLine::complete, {ack, Wait::yes}, std::move(done));
    });
    if (!answer) std::abort();
    written.push_back({partition, std::move(text), *answer});
  }
  return written;
}

/// The appends of all writers in the order of the offsets that they got, which must be without gaps.
std::vector<sim::PartitionModel> model_of(const std::vector<PartitionId>& partitions, std::vector<Written> written) {
  std::sort(written.begin(), written.end(),
            [](const Written& a, const Written& b) { return a.answer.base_offset < b.answer.base_offset; });
  std::vector<sim::PartitionModel> models;
  for (PartitionId id : partitions) models.emplace_back(id);
  uint64_t order = 0;
  for (const Written& w : written) {
    sim::ModelAppend a;
    a.order = ++order;
    a.text = w.text;
    a.line_ends = {static_cast<uint32_t>(w.text.size())};
    models[w.partition].add(std::move(a));
    REQUIRE(models[w.partition].check_answer(order, w.answer) == "");
  }
  return models;
}

}  // namespace

TEST_CASE("writers, readers and offloads at once lose and tear nothing, and a restart finds it all") {
  TemporaryDirectory directory;
  std::vector<sim::PartitionModel> models;
  {
    RealEngine e(small_engine_in(directory.path(), 2 << 20), store_in(directory.path()));
    std::vector<PartitionId> partitions = e.make_topic("t", kPartitions);
    std::atomic<bool> writing{true};
    std::thread reader([&] {
      while (writing)
        for (PartitionId p : partitions)
          if (std::string text = read_from(e, p, TextPosition(0)); !text.empty() && text.find('\0') != std::string::npos) std::abort();
    });
    std::vector<Written> written[kWriters], all;
    std::vector<std::thread> writers;
    for (int w = 0; w < kWriters; w++) writers.emplace_back([&, w] { written[w] = write_lines(e, partitions, w); });
    for (auto& w : writers) w.join();
    writing = false;
    reader.join();
    for (auto& w : written) all.insert(all.end(), w.begin(), w.end());
    CHECK(all.size() == size_t{kWriters} * kLines);
    models = model_of(partitions, std::move(all));
    for (auto& model : models) check_views(e, model);
  }
  {
    RealEngine e(small_engine_in(directory.path(), 2 << 20), store_in(directory.path()));
    TopicPtr t = e->find_topic("t");
    REQUIRE(t);
    for (auto& model : models) {
      sim::PartitionModel::Cut cut;
      CHECK(model.cut_at(*e->ends(model.id), false, cut) == "");
      CHECK(cut.first_lost == UINT64_MAX);
      check_views(e, model);
    }
  }
}
