#include "kafka/group/subscription.h"

#include <cstddef>
#include <cstdint>

namespace topicfs::kafka {
namespace {

/// Big-endian numbers off hostile bytes; after the first that is not there, nothing.
class Take {
 public:
  explicit Take(std::string_view rest) : rest_(rest) {}
  bool ok() const { return ok_; }
  size_t remaining() const { return rest_.size(); }

  int64_t number(size_t bytes) {
    std::string_view from = text(bytes);
    uint64_t value = 0;
    for (char c : from) value = (value << 8) | static_cast<uint8_t>(c);
    bool negative = !from.empty() && (from[0] & 0x80) != 0;
    return negative ? static_cast<int64_t>(value) - (int64_t{1} << (8 * bytes)) : static_cast<int64_t>(value);
  }
  std::string_view text(size_t size) {
    if (!ok_ || size > rest_.size()) return ok_ = false, std::string_view();
    std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::optional<std::vector<std::string>> subscribed_topics(std::string_view metadata) {
  Take take(metadata);
  int64_t version = take.number(2);
  int64_t count = take.number(4);
  if (!take.ok() || version < 0 || count < 0 || static_cast<size_t>(count) > take.remaining() / 2) return std::nullopt;
  std::vector<std::string> topics;
  for (int64_t i = 0; i < count; i++) {
    int64_t size = take.number(2);
    if (size < 0) return std::nullopt;
    topics.emplace_back(take.text(static_cast<size_t>(size)));
  }
  int64_t user_data = take.number(4);
  if (user_data > 0) take.text(static_cast<size_t>(user_data));
  if (!take.ok()) return std::nullopt;
  return topics;
}

}  // namespace topicfs::kafka
