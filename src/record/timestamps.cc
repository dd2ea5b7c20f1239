#include "record/timestamps.h"

namespace topicfs {
namespace {

/// Under LogAppendTime the header's maximum is every record's timestamp.
FoundRecord found(const BatchHeader& header, const Record& record) {
  const auto create_time = static_cast<int64_t>(static_cast<uint64_t>(header.base_timestamp) +
                                                static_cast<uint64_t>(record.timestamp_delta));
  return {header.base_offset + record.offset_delta,
          header.has_log_append_time() ? header.max_timestamp : create_time};
}

}  // namespace

Result<std::optional<FoundRecord>> find_timestamp(const BatchHeader& header, const RecordsView& records,
                                                  int64_t target, Offset from) {
  std::optional<FoundRecord> first;
  TRY(for_each_record(records, [&](const Record& record) {
    const FoundRecord candidate = found(header, record);
    if (candidate.timestamp < target || candidate.offset < from) return Flow::go_on;
    first = candidate;
    return Flow::stop;
  }));
  return first;
}

Result<std::optional<FoundRecord>> find_max_timestamp(const BatchHeader& header, const RecordsView& records, Offset from) {
  std::optional<FoundRecord> largest;
  TRY(for_each_record(records, [&](const Record& record) {
    const FoundRecord candidate = found(header, record);
    if (candidate.offset >= from && (!largest || candidate.timestamp > largest->timestamp)) largest = candidate;
    return Flow::go_on;
  }));
  return largest;
}

}  // namespace topicfs
