// Looking up records of a batch by their timestamp, for Kafka's ListOffsets.
#pragma once

#include <cstdint>
#include <optional>

#include "record/records.h"

namespace topicfs {

struct FoundRecord {
  Offset offset{0};
  int64_t timestamp = kNoTimestamp;
};

/// The first record from offset `from` on whose timestamp is at least `target`; nullopt if there is none. Of the header
/// it uses the offsets, timestamps and attributes. kCorrupt, kFull (memory for decompression).
Result<std::optional<FoundRecord>> find_timestamp(const BatchHeader& header, const RecordsView& records,
                                                  int64_t target, Offset from = Offset(0));
/// The first record from offset `from` on that has the largest timestamp of these; nullopt if there are none.
Result<std::optional<FoundRecord>> find_max_timestamp(const BatchHeader& header, const RecordsView& records, Offset from);

}  // namespace topicfs
