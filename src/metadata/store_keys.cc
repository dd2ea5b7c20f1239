#include "metadata/store_keys.h"

#include <fmt/core.h>

#include <charconv>

namespace topicfs {
namespace {

constexpr size_t kHexDigits = 16;

/// The 16 hexadecimal digits at `at` of a key.
std::optional<uint64_t> hex_at(std::string_view key, size_t at) {
  if (key.size() < at + kHexDigits) return std::nullopt;
  uint64_t n = 0;
  auto [end, error] = std::from_chars(key.data() + at, key.data() + at + kHexDigits, n, 16);
  if (error != std::errc() || end != key.data() + at + kHexDigits) return std::nullopt;
  return n;
}

}  // namespace

std::string epoch_key(uint64_t epoch) { return fmt::format("{}{:016x}", kEpochPrefix, epoch); }
std::string object_key(uint64_t epoch, uint64_t sequence) {
  return fmt::format("{}{:016x}-{:016x}", kObjectPrefix, epoch, sequence);
}
std::string checkpoint_key(uint64_t epoch, uint64_t sequence, uint64_t upload) {
  return fmt::format("{}{:016x}-{:016x}-{:016x}", kCheckpointPrefix, epoch, sequence, upload);
}

std::optional<EpochAndSequence> parse_key(std::string_view key, std::string_view prefix) {
  if (!key.starts_with(prefix) || key.size() != prefix.size() + 2 * kHexDigits + 1) return std::nullopt;
  auto epoch = hex_at(key, prefix.size()), sequence = hex_at(key, prefix.size() + kHexDigits + 1);
  if (!epoch || !sequence || key[prefix.size() + kHexDigits] != '-') return std::nullopt;
  return EpochAndSequence{*epoch, *sequence};
}

std::optional<EpochAndSequence> parse_checkpoint_key(std::string_view key) {
  if (key.size() <= kHexDigits + 1) return std::nullopt;
  size_t dash = key.size() - kHexDigits - 1;
  if (key[dash] != '-' || !hex_at(key, dash + 1)) return std::nullopt;
  return parse_key(key.substr(0, dash), kCheckpointPrefix);
}

std::optional<uint64_t> parse_epoch_key(std::string_view key) {
  std::string_view prefix = kEpochPrefix;
  if (!key.starts_with(prefix) || key.size() != prefix.size() + kHexDigits) return std::nullopt;
  return hex_at(key, prefix.size());
}

}  // namespace topicfs
