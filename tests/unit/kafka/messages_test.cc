// Every message of the registry, in every version.
#include <doctest/doctest.h>

#include <span>
#include <typeinfo>
#include <vector>

#include "kafka/messages/registry.h"
#include "kafka/wire/decode.h"
#include "kafka/wire/encode.h"
#include "kafka/wire/trace.h"
#include "unit/kafka/random_message.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

constexpr int kRounds = 40;

template <class M>
std::string bytes_of(const M& message, int16_t version) {
  Writer w;
  encode(w, message, encoding_of<M>(version));
  REQUIRE_MESSAGE(w.ok(), w.fault());
  return w.flat();
}

template <class Visit>
void for_each_message_and_version(Visit visit) {
  Apis::for_each([&]<class A>(A) {
    for (int16_t v = A::valid.first; v <= A::valid.last; v++) {
      visit.template operator()<typename A::Request>(v);
      visit.template operator()<typename A::Response>(v);
    }
  });
}

}  // namespace

TEST_CASE("a message decodes to what was encoded, in every version") {
  for_each_message_and_version([]<class M>(int16_t version) {
    for (uint64_t seed = 1; seed <= kRounds; seed++) {
      INFO(typeid(M).name(), " version ", version, ", seed ", seed);
      RandomMessages random(seed);
      M message = random.make<M>(version);
      std::string once = bytes_of(message, version);
      M again{};
      Reader r(as_byte_span(once));
      decode(r, again, encoding_of<M>(version));
      REQUIRE_MESSAGE(r.ok(), r.fault());
      CHECK(r.remaining() == 0);
      REQUIRE(bytes_of(again, version) == once);
      REQUIRE(trace(again, version) == trace(message, version));
    }
  });
}

TEST_CASE("a message cut anywhere is refused, never read beyond its end") {
  for_each_message_and_version([]<class M>(int16_t version) {
    RandomMessages random(7);
    std::string whole = bytes_of(random.make<M>(version), version);
    for (size_t size = 0; size < whole.size(); size += 1 + size / 20) {
      INFO(typeid(M).name(), " version ", version, ", size ", size);
      const auto bytes = std::as_bytes(std::span(whole)).first(size);
      const std::vector<std::byte> cut(bytes.begin(), bytes.end());  // exactly this long: a sanitizer sees an overrun
      M message{};
      Reader r(cut);
      decode(r, message, encoding_of<M>(version));
      CHECK_FALSE(r.ok());
    }
  });
}

TEST_CASE("random damage to a message is refused or read, and takes no memory beyond the bound") {
  for_each_message_and_version([]<class M>(int16_t version) {
    std::mt19937_64 random(version);
    RandomMessages messages(11);
    std::string whole = bytes_of(messages.make<M>(version), version);
    for (int i = 0; i < 200 && !whole.empty(); i++) {
      std::string damaged = whole;
      for (int n = 0; n < 3; n++) damaged[random() % damaged.size()] = static_cast<char>(random());
      M message{};
      Reader r(as_byte_span(damaged));
      decode(r, message, encoding_of<M>(version));
      CHECK(r.remaining() <= damaged.size());
    }
  });
}

TEST_CASE("the trace of a message is bounded") {
  MetadataRequest request;
  request.topics.emplace();
  for (int i = 0; i < 10'000; i++) request.topics->push_back({Uuid{}, std::string(200, 'x')});
  CHECK(trace(request, 12).size() <= kMaxTraceBytes + 3);
}
