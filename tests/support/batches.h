// Record batches as Kafka producers make them, for tests: any field can be wrong.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "record/batch.h"
#include "support/compress.h"

namespace topicfs::testing {

struct TestHeader {
  std::string key;
  std::optional<std::string> value;
};

struct TestRecord {
  std::optional<std::string> value;
  std::optional<std::string> key = {};
  std::vector<TestHeader> headers = {};
  int64_t timestamp_delta = 0;
  std::optional<int32_t> offset_delta = {};  ///< else its place
};

/// The records' bytes, uncompressed.
std::string encode_records(const std::vector<TestRecord>& records);

/// A batch with `header`'s attributes, timestamps and producer fields, around a payload; lengths,
/// counts and the CRC are made right.
std::string encode_batch(BatchHeader header, std::string_view payload, int32_t record_count);
/// The same of records, compressed as the header's attributes say; maxTimestamp is made right too.
std::string encode_batch(BatchHeader header, const std::vector<TestRecord>& records,
                         SnappyForm form = SnappyForm::xerial);
std::string encode_batch(const std::vector<TestRecord>& records, Codec codec = Codec::none);

/// The batch with `header`'s fields stored and the CRC made right for them.
std::string with_header(std::string batch, const BatchHeader& header);

}  // namespace topicfs::testing
