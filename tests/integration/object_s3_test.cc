// S3Store against a real server, through the counting proxy. object_s3_test.py starts both and
// passes them in the environment: S3_ENDPOINT, S3_BUCKET, S3_REQUESTS (the proxy's log).
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "object/open_store.h"
#include "object/range_reader.h"
#include "unit/object/objects.h"
#include "unit/object/store_claims.h"

using namespace topicfs;

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

struct S3Fixture {
  static constexpr bool kMayLackConditionalPut = true;  // Swift answers 501
  static inline std::atomic<int> fixtures{0};
  std::string prefix;
  std::unique_ptr<ObjectStore> opened;

  S3Fixture() {
    prefix = "run-" + std::to_string(::getpid()) + "/" + std::to_string(fixtures++);
    opened = open(prefix);
  }
  static std::unique_ptr<ObjectStore> open(const std::string& prefix, std::string bucket = variable("S3_BUCKET"),
                                           std::string endpoint = variable("S3_ENDPOINT")) {
    auto r = open_store("s3://" + bucket + "/" + prefix,
                        {.endpoint = endpoint, .region = "", .path_style = Choice::automatic}, system_clock());
    REQUIRE(r);
    return std::move(*r);
  }
  ObjectStore& store() { return *opened; }
  void drive() {}
};

struct Request {
  std::string method, path, range, status;
  uint64_t up = 0, down = 0;
};

/// What the proxy has seen since `seen` lines.
std::vector<Request> requests_since(size_t seen) {
  std::ifstream log(variable("S3_REQUESTS"));
  std::vector<Request> requests;
  std::string line;
  for (size_t n = 0; std::getline(log, line); n++) {
    Request r;
    if (n >= seen && std::istringstream(line) >> r.method >> r.path >> r.range >> r.status >> r.up >> r.down)
      requests.push_back(r);
  }
  return requests;
}
size_t requests_so_far() { return requests_since(0).size(); }

std::string range_of(std::span<const BlockEntry> blocks) {
  return "bytes=" + std::to_string(blocks.front().position) + "-" +
         std::to_string(blocks.back().position + blocks.back().size - 1);
}

}  // namespace

TYPE_TO_STRING(S3Fixture);
TOPICFS_STORE_CLAIMS(S3Fixture);

TEST_CASE_FIXTURE(S3Fixture, "the first read of an object is one GET of its last 64 KiB, every read after is one GET of exactly the blocks that cover it") {
  Waiting<S3Fixture> s{*this};
  Model model(42, 600, 40'000, 3);
  BuiltObject object = model.build();
  REQUIRE(Waiting<int>::outcome(s.put("objects/1", object.pieces)) == "ok");
  REQUIRE(object.footer.encoded_size() < kTailBytes);

  FooterCache footers(store(), 1 << 20);
  RangeReader reader(store(), footers, {.max_cached_bytes = 0});
  auto read = [&](auto from, size_t max_bytes) {
    return s.wait<ObjectRead>([&](auto done) { reader.read("objects/1", PartitionId(2), from, max_bytes, std::move(done)); });
  };
  auto blocks = object.footer.blocks_of(PartitionId(2));
  REQUIRE(blocks.size() >= 6);

  size_t seen = requests_so_far();
  REQUIRE(read(blocks[0].base_offset, 1));
  auto requests = requests_since(seen);
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].method == "GET");
  CHECK(requests[0].range == "bytes=-65536");
  CHECK(requests[0].down == 65536);
  CHECK(requests[1].range == range_of(blocks.first(1)));
  CHECK(requests[1].down == blocks[0].size);

  seen = requests_so_far();
  REQUIRE(read(blocks[5].text_position, 1));
  auto many = read(blocks[1].base_offset, blocks[1].size + blocks[2].size + 1);
  REQUIRE(many);
  requests = requests_since(seen);
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].range == range_of(blocks.subspan(5, 1)));
  CHECK(requests[0].down == blocks[5].size);
  CHECK(requests[1].range == range_of(blocks.subspan(1, 3)));
  CHECK(requests[1].down == blocks[1].size + blocks[2].size + blocks[3].size);

  // From the first to the last batch, as a reader does: one GET for each step, and every byte right.
  auto expected = model.of(PartitionId(2));
  size_t next = 0, steps = 0;
  seen = requests_so_far();
  for (Offset from{0};; steps++) {
    auto r = read(from, 1 << 20);
    if (!r) break;
    for (const auto& batch : r->batches) check_same(batch, *expected.at(next++));
    from = r->batches.back().end_offset;
  }
  CHECK(next == expected.size());
  CHECK(requests_since(seen).size() == steps);
}

TEST_CASE_FIXTURE(S3Fixture, "a footer larger than 64 KiB is brought by one more exact GET") {
  Waiting<S3Fixture> s{*this};
  Model model(4, 3000, 30, 1500);
  BuiltObject object = model.build();
  REQUIRE(s.put("objects/2", object.pieces));
  FooterCache footers(store(), 1 << 20);
  size_t seen = requests_so_far();
  auto find = [&] { return s.wait<FooterPtr>([&](auto done) { footers.find("objects/2", std::move(done)); }); };
  auto footer = find();
  REQUIRE(footer);
  REQUIRE(find());
  CHECK((*footer)->blocks == object.footer.blocks);
  auto requests = requests_since(seen);
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].range == "bytes=-65536");
  CHECK(requests[1].down == object.footer.encoded_size());
}

TEST_CASE_FIXTURE(S3Fixture, "a listing of more than a thousand keys comes whole, page by page") {
  Waiting<S3Fixture> s{*this};
  constexpr int kKeys = 1'050;
  const std::string body = "x";
  int put = 0, failed = 0;
  std::string error;
  Mutex mutex;
  CondVar changed;
  for (int i = 0; i < kKeys; i++) {
    store().put("many/" + std::to_string(10'000 + i), {as_byte_span(body)}, Overwrite::allow, [&](Result<void> r) {
      MutexLock lock(mutex);
      r ? put++ : failed++;
      if (!r) error = r.error().message();
      changed.notify_all();
    });
    MutexLock lock(mutex);
    while (put + failed < i + 1 - 64) REQUIRE(changed.wait_for(mutex, std::chrono::seconds(60)));
  }
  {
    MutexLock lock(mutex);
    while (put + failed < kKeys) REQUIRE(changed.wait_for(mutex, std::chrono::seconds(60)));
  }
  REQUIRE(error == "");
  size_t seen = requests_so_far();
  auto listed = s.list("many/");
  REQUIRE(listed);
  CHECK(listed->size() == kKeys);
  CHECK(listed->front().key == "many/10000");
  CHECK(listed->back().key == "many/11049");
  CHECK(requests_since(seen).size() == 2);
  auto rest = s.list("many/", "many/11040");
  REQUIRE(rest);
  CHECK(rest->size() == 9);
}

TEST_CASE_FIXTURE(S3Fixture, "stores with different prefixes do not see each other's objects") {
  Waiting<S3Fixture> s{*this};
  REQUIRE(s.put("a", "mine"));
  opened = open(prefix + "/other");
  CHECK(keys_of(s.list("")) == "");
  REQUIRE(s.put("b", "other"));
  opened = open(prefix);
  CHECK(keys_of(s.list("")) == "a:4 other/b:5 ");
}

TEST_CASE_FIXTURE(S3Fixture, "wrong credentials are denied, and the message says where they come from") {
  std::string secret = variable("AWS_SECRET_ACCESS_KEY");
  ::setenv("AWS_SECRET_ACCESS_KEY", "wrong", 1);
  opened = open(prefix);
  ::setenv("AWS_SECRET_ACCESS_KEY", secret.c_str(), 1);
  Waiting<S3Fixture> s{*this};
  for (auto outcome : {s.put("k", "x").error(), s.get("k", 0, 1).error(), s.list("").error()}) {
    CHECK(outcome.code == Errc::kDenied);
    CHECK(outcome.what.find("SignatureDoesNotMatch") != std::string::npos);
    CHECK(outcome.what.find("AWS_SECRET_ACCESS_KEY") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(S3Fixture, "a bucket that does not exist is a mistake of configuration, not a missing object") {
  opened = open(prefix, "no-such-bucket");
  Waiting<S3Fixture> s{*this};
  for (auto outcome : {s.put("k", "x").error(), s.get("k", 0, 1).error(), s.list("").error()}) {
    CHECK(outcome.code == Errc::kInvalidArgument);
    CHECK(outcome.what.find("create the bucket") != std::string::npos);
  }
}
