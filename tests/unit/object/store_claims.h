// What every ObjectStore must do, as test templates: the memory store and the directory store are
// held to it in the unit suite, S3 in the integration suite. A fixture F has `store()`, `drive()`,
// which lets time pass for a store that lives in one thread, and kMayLackConditionalPut.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "object/object_store.h"

namespace topicfs {

/// Calls of a store's verbs that wait for the answer, for at most kPatience.
template <class F>
struct Waiting {
  static constexpr std::chrono::seconds kPatience{60};
  F& f;

  template <class T, class Call>
  Result<T> wait(Call call) {
    struct Shared {
      Mutex mutex;
      CondVar changed;
      std::optional<Result<T>> outcome;
    };
    auto shared = std::make_shared<Shared>();
    call(Completion<T>([shared](Result<T> r) {
      MutexLock lock(shared->mutex);
      CHECK_FALSE(shared->outcome);  // once
      shared->outcome = std::move(r);
      shared->changed.notify_all();
    }));
    f.drive();
    MutexLock lock(shared->mutex);
    while (!shared->outcome && shared->changed.wait_for(shared->mutex, kPatience)) {
    }
    REQUIRE(shared->outcome);
    return std::move(*shared->outcome);
  }

  Result<void> put(const std::string& key, std::vector<ByteSpan> pieces, Overwrite overwrite = Overwrite::allow) {
    return wait<void>([&](auto done) { f.store().put(key, std::move(pieces), overwrite, std::move(done)); });
  }
  Result<void> put(const std::string& key, std::string_view text, Overwrite overwrite = Overwrite::allow) {
    return put(key, std::vector<ByteSpan>{as_byte_span(text)}, overwrite);
  }
  Result<ObjectBytes> get(const std::string& key, uint64_t offset, uint64_t size) {
    return wait<ObjectBytes>([&](auto done) { f.store().get(key, {offset, size}, std::move(done)); });
  }
  Result<ObjectBytes> get_tail(const std::string& key, uint64_t max_bytes) {
    return wait<ObjectBytes>([&](auto done) { f.store().get_tail(key, max_bytes, std::move(done)); });
  }
  Result<std::vector<ListedObject>> list(const std::string& prefix, const std::string& start_after = "") {
    return wait<std::vector<ListedObject>>([&](auto done) { f.store().list(prefix, start_after, std::move(done)); });
  }
  Result<void> remove(const std::string& key) {
    return wait<void>([&](auto done) { f.store().remove(key, std::move(done)); });
  }
  /// "ok", or the name of the error and what it says, for messages of failed tests.
  template <class T>
  static std::string outcome(const Result<T>& r) {
    return r ? "ok" : std::string(name_of(r.error().code)) + ": " + r.error().message();
  }
};

inline std::string text_of(const Result<ObjectBytes>& r) {
  return r ? std::string(as_text(r->bytes)) : Waiting<int>::outcome(r);
}
inline std::string keys_of(const Result<std::vector<ListedObject>>& r) {
  if (!r) return Waiting<int>::outcome(r);
  std::string text;
  for (const auto& object : *r) text += object.key + ":" + std::to_string(object.size) + " ";
  return text;
}

TEST_CASE_TEMPLATE_DEFINE("a store gives back by range exactly the pieces that were put", F, store_ranges) {
  F fixture;
  Waiting<F> s{fixture};
  std::string big(3'000'001, 'x');
  for (size_t i = 0; i < big.size(); i++) big[i] = static_cast<char>(i * 2654435761u >> 13);
  auto pieces = std::vector<ByteSpan>{as_byte_span(big).first(1), as_byte_span(big).subspan(1, 1'234'567), ByteSpan{},
                                      as_byte_span(big).subspan(1'234'568)};
  REQUIRE(Waiting<F>::outcome(s.put("range/big", pieces)) == "ok");
  auto whole = s.get("range/big", 0, big.size());
  REQUIRE(whole);
  CHECK(as_text(whole->bytes) == big);
  CHECK(whole->object_size == big.size());
  auto middle = s.get("range/big", 1'234'560, 100'000);
  REQUIRE(middle);
  CHECK(as_text(middle->bytes) == std::string_view(big).substr(1'234'560, 100'000));
  CHECK(middle->object_size == big.size());
  CHECK(text_of(s.get("range/big", big.size() - 1, 1)) == big.substr(big.size() - 1));
  auto tail = s.get_tail("range/big", 65'536);
  REQUIRE(tail);
  CHECK(as_text(tail->bytes) == std::string_view(big).substr(big.size() - 65'536));
  CHECK(tail->object_size == big.size());

  CHECK(s.get("range/big", big.size() - 1, 2).error().code == Errc::kCorrupt);
  CHECK(s.get("range/big", big.size(), 1).error().code == Errc::kCorrupt);
  CHECK(s.get("range/big", big.size() + 9, 1).error().code == Errc::kCorrupt);
  CHECK(s.get("range/big", 0, 0).error().code == Errc::kInvalidArgument);
}

TEST_CASE_TEMPLATE_DEFINE("the tail of a small object is all of it, and of an empty one is nothing", F, store_tails) {
  F fixture;
  Waiting<F> s{fixture};
  REQUIRE(Waiting<F>::outcome(s.put("tail/small", "0123456789")) == "ok");
  CHECK(text_of(s.get_tail("tail/small", 65'536)) == "0123456789");
  CHECK(text_of(s.get_tail("tail/small", 10)) == "0123456789");
  CHECK(text_of(s.get_tail("tail/small", 3)) == "789");
  REQUIRE(Waiting<F>::outcome(s.put("tail/empty", std::vector<ByteSpan>{})) == "ok");
  CHECK(text_of(s.get_tail("tail/empty", 65'536)) == "");
}

TEST_CASE_TEMPLATE_DEFINE("what is not there is not found, and removing it succeeds", F, store_missing) {
  F fixture;
  Waiting<F> s{fixture};
  const uint64_t errors = fixture.store().counters().errors;
  CHECK(s.get("none/such", 0, 1).error().code == Errc::kNotFound);
  CHECK(s.get_tail("none/such", 10).error().code == Errc::kNotFound);
  CHECK(keys_of(s.list("none/")) == "");
  CHECK(Waiting<F>::outcome(s.remove("none/such")) == "ok");
  REQUIRE(s.put("none/now", "1"));
  CHECK(Waiting<F>::outcome(s.remove("none/now")) == "ok");
  CHECK(s.get("none/now", 0, 1).error().code == Errc::kNotFound);
  CHECK(keys_of(s.list("none/")) == "");
  CHECK(fixture.store().counters().errors == errors);
}

TEST_CASE_TEMPLATE_DEFINE("a put that may not overwrite loses against an object that is there", F, store_refuses) {
  F fixture;
  Waiting<F> s{fixture};
  auto first = s.put("claim/1", "first", Overwrite::refuse);
  if (F::kMayLackConditionalPut && !first && first.error().code == Errc::kUnsupported) {
    MESSAGE(first.error().what);
    CHECK(s.get_tail("claim/1", 100).error().code == Errc::kNotFound);
    return;
  }
  REQUIRE(Waiting<F>::outcome(first) == "ok");
  const uint64_t errors = fixture.store().counters().errors;
  CHECK(s.put("claim/1", "second", Overwrite::refuse).error().code == Errc::kExists);
  CHECK(fixture.store().counters().errors == errors);
  CHECK(text_of(s.get_tail("claim/1", 100)) == "first");
  CHECK(Waiting<F>::outcome(s.put("claim/1", "third", Overwrite::allow)) == "ok");
  CHECK(text_of(s.get_tail("claim/1", 100)) == "third");
}

TEST_CASE_TEMPLATE_DEFINE("a listing is ascending, by prefix, and starts after a key", F, store_lists) {
  F fixture;
  Waiting<F> s{fixture};
  for (auto key : {"l/b/2", "l/a", "l/b-1", "l/b/1/x", "l/c_0", "m"}) {
    REQUIRE(Waiting<F>::outcome(s.put(key, key)) == "ok");
  }
  CHECK(keys_of(s.list("l/")) == "l/a:3 l/b-1:5 l/b/1/x:7 l/b/2:5 l/c_0:5 ");
  CHECK(keys_of(s.list("l/b")) == "l/b-1:5 l/b/1/x:7 l/b/2:5 ");
  CHECK(keys_of(s.list("l/b/")) == "l/b/1/x:7 l/b/2:5 ");
  CHECK(keys_of(s.list("l/", "l/b-1")) == "l/b/1/x:7 l/b/2:5 l/c_0:5 ");
  CHECK(keys_of(s.list("l/", "l/b/1/y")) == "l/b/2:5 l/c_0:5 ");
  CHECK(keys_of(s.list("l/", "l/z")) == "");
}

TEST_CASE_TEMPLATE_DEFINE("keys that would not be safe paths are refused", F, store_keys) {
  F fixture;
  Waiting<F> s{fixture};
  for (auto key : {"", "/a", "a/", "a//b", ".", "a/../b", ".tmp/0", "a b", "a%2f", "\xc3\xa4", "a\nb"}) {
    INFO(key);
    CHECK(s.put(key, "x").error().code == Errc::kInvalidArgument);
    CHECK(s.get(key, 0, 1).error().code == Errc::kInvalidArgument);
  }
  CHECK(s.put(std::string(513, 'a'), "x").error().code == Errc::kInvalidArgument);
}

}  // namespace topicfs

/// Hold these fixtures to every claim.
#define TOPICFS_STORE_CLAIMS(...)                            \
  TEST_CASE_TEMPLATE_INVOKE(store_ranges, __VA_ARGS__);      \
  TEST_CASE_TEMPLATE_INVOKE(store_tails, __VA_ARGS__);       \
  TEST_CASE_TEMPLATE_INVOKE(store_missing, __VA_ARGS__);     \
  TEST_CASE_TEMPLATE_INVOKE(store_refuses, __VA_ARGS__);     \
  TEST_CASE_TEMPLATE_INVOKE(store_lists, __VA_ARGS__);       \
  TEST_CASE_TEMPLATE_INVOKE(store_keys, __VA_ARGS__)
