// The names of what a store holds. Keys are never used again.
//
//   store                                   the store's id
//   epochs/EEEEEEEEEEEEEEEE                 one for each start of a daemon
//   checkpoints/EEEEEEEEEEEEEEEE-SSSSSSSSSSSSSSSS-UUUUUUUUUUUUUUUU
//   objects/EEEEEEEEEEEEEEEE-SSSSSSSSSSSSSSSS
//
// E is the epoch and S the object's sequence in it, hexadecimal; a checkpoint's S is the last object that it knows, and
// U counts the epoch's uploads, so that a request which comes late never replaces a newer checkpoint.
// The first checkpoint of an epoch is there before its first object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace topicfs {

inline constexpr char kIdentityKey[] = "store";
inline constexpr char kEpochPrefix[] = "epochs/";
inline constexpr char kCheckpointPrefix[] = "checkpoints/";
inline constexpr char kObjectPrefix[] = "objects/";

std::string epoch_key(uint64_t epoch);
std::string object_key(uint64_t epoch, uint64_t sequence);
std::string checkpoint_key(uint64_t epoch, uint64_t sequence, uint64_t upload);

struct EpochAndSequence {
  uint64_t epoch = 0, sequence = 0;
  friend auto operator<=>(const EpochAndSequence&, const EpochAndSequence&) = default;
};
/// What `key` says behind `prefix`, or nothing if it is no such key.
std::optional<EpochAndSequence> parse_key(std::string_view key, std::string_view prefix);
std::optional<EpochAndSequence> parse_checkpoint_key(std::string_view key);
std::optional<uint64_t> parse_epoch_key(std::string_view key);

}  // namespace topicfs
