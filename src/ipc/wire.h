// Writer and Reader: how the values of frames become bytes and bytes become values. A message names
// its members once, in `fields(self, io)`; both directions follow from that one list. Integers are
// little-endian; counts and lengths are uint32. The Reader takes nothing on trust: counts are held
// against the bytes that remain before anything is reserved, and its first error sticks.
#pragma once

#include <bit>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <topicfs/types.h>

namespace topicfs::ipc {

static_assert(std::endian::native == std::endian::little, "frames are copied as they stand in memory");

/// The largest value of an enumeration that may arrive; every enumeration in a message has one.
template <class E>
inline constexpr E kLargest = {};

class Writer {
 public:
  explicit Writer(std::vector<std::byte>& out) : out_(out) {}

  template <class... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }

 private:
  void raw(const void* from, size_t size) {
    auto* bytes = static_cast<const std::byte*>(from);
    out_.insert(out_.end(), bytes, bytes + size);
  }
  void count(size_t n) { put(static_cast<uint32_t>(n)); }

  template <class T>
    requires std::is_integral_v<T>
  void put(T v) {
    raw(&v, sizeof v);
  }
  template <class T>
    requires std::is_enum_v<T>
  void put(T v) {
    put(static_cast<uint8_t>(v));
  }
  template <class Tag, class Rep>
  void put(const Strong<Tag, Rep>& v) {
    put(v.v);
  }
  void put(const WallMilliseconds& t) { put(t.count()); }
  void put(const Uuid& id) { raw(id.bytes.data(), id.bytes.size()); }
  void put(const std::string& s) { count(s.size()), raw(s.data(), s.size()); }
  template <class T>
  void put(const std::optional<T>& v) {
    put(static_cast<uint8_t>(v.has_value()));
    if (v) put(*v);
  }
  template <class T>
  void put(const std::vector<T>& list) {
    count(list.size());
    for (auto& item : list) put(item);
  }
  template <class V, class C>
  void put(const std::map<std::string, V, C>& map) {
    count(map.size());
    for (auto& [key, value] : map) put(key), put(value);
  }
  template <class T>
    requires std::is_class_v<T>
  void put(const T& message) {
    fields(message, *this);
  }

  std::vector<std::byte>& out_;
};

class Reader {
 public:
  explicit Reader(ByteSpan in) : in_(in) {}

  template <class... T>
  void operator()(T&... values) {
    (get(values), ...);
  }
  bool good() const { return good_; }
  /// What has not been read.
  ByteSpan rest() const { return in_; }

 private:
  void raw(void* to, size_t size) {
    if (size > in_.size()) good_ = false;
    if (!good_ || size == 0) return;
    std::memcpy(to, in_.data(), size);
    in_ = in_.subspan(size);
  }
  /// Every item takes at least one byte.
  uint32_t count() {
    uint32_t n = 0;
    get(n);
    if (n > in_.size()) good_ = false;
    return good_ ? n : 0;
  }

  template <class T>
    requires std::is_integral_v<T>
  void get(T& v) {
    raw(&v, sizeof v);
  }
  template <class T>
    requires std::is_enum_v<T>
  void get(T& v) {
    uint8_t number = 0;
    get(number);
    if (number > static_cast<uint8_t>(kLargest<T>)) good_ = false;
    if (good_) v = static_cast<T>(number);
  }
  template <class Tag, class Rep>
  void get(Strong<Tag, Rep>& v) {
    get(v.v);
  }
  void get(WallMilliseconds& t) {
    int64_t ms = 0;
    get(ms);
    t = WallMilliseconds(ms);
  }
  void get(Uuid& id) { raw(id.bytes.data(), id.bytes.size()); }
  void get(std::string& s) {
    auto size = count();
    s.assign(reinterpret_cast<const char*>(in_.data()), good_ ? size : 0);
    if (good_) in_ = in_.subspan(size);
  }
  template <class T>
  void get(std::optional<T>& v) {
    uint8_t present = 0;
    get(present);
    if (present > 1) good_ = false;
    v.reset();
    if (good_ && present) get(v.emplace());
  }
  template <class T>
  void get(std::vector<T>& list) {
    auto n = count();
    list.clear();
    for (uint32_t i = 0; i < n && good_; ++i) get(list.emplace_back());
  }
  template <class V, class C>
  void get(std::map<std::string, V, C>& map) {
    auto n = count();
    map.clear();
    for (uint32_t i = 0; i < n && good_; ++i) {
      std::string key;
      get(key);
      get(map[std::move(key)]);
    }
  }
  template <class T>
    requires std::is_class_v<T>
  void get(T& message) {
    fields(message, *this);
  }

  ByteSpan in_;
  bool good_ = true;
};

}  // namespace topicfs::ipc
