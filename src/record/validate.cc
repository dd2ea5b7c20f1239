#include "record/validate.h"

#include <fmt/core.h>

#include <algorithm>

#include "codec/crc32c.h"

namespace topicfs {
namespace {

// Kafka reads on while an offset and a length fit; what is shorter is no batch to it.
constexpr size_t kMaxStrayBytes = kBatchLengthEnd - 1;
constexpr int32_t kMinBatchLength = kBatchHeaderBytes - kBatchLengthEnd;

constexpr BatchFault kFaults[] = {
    BatchFault::corrupt_message,
    BatchFault::too_large,
    BatchFault::invalid_record,
    BatchFault::old_magic,
    BatchFault::unsupported_compression,
    BatchFault::invalid_timestamp,
    BatchFault::unknown_codec,
    BatchFault::undecodable,
    BatchFault::no_memory,
};

tl::unexpected<Error> refuse(BatchFault fault, std::string_view why) {
  return fail(errc_of(fault), fmt::format("{}: {}", name_of(fault), why));
}

/// In the order in which Kafka's broker looks, because the first fault is what it answers.
Result<BatchHeader> check_header(ByteSpan batch, const ValidateLimits& limits) {
  BatchHeaderBytes bytes{};
  if (batch.size() < kBatchCrcOffset) return refuse(BatchFault::invalid_record, "there is no record batch");
  std::copy_n(batch.begin(), std::min(batch.size(), bytes.size()), bytes.begin());
  const BatchHeader h = BatchHeader::load(bytes);
  if (h.magic < 0 || h.magic > kBatchMagic)
    return refuse(BatchFault::corrupt_message, fmt::format("magic {}", h.magic));
  if (h.magic != kBatchMagic)
    return refuse(BatchFault::old_magic, "only record batches of magic 2 are taken");
  if (h.batch_length < kMinBatchLength)
    return refuse(BatchFault::corrupt_message, fmt::format("a batch length of {}", h.batch_length));
  if (h.size_bytes() > batch.size()) return refuse(BatchFault::invalid_record, "the record batch is cut off");
  if (batch.size() - h.size_bytes() > kMaxStrayBytes)
    return refuse(BatchFault::invalid_record, "there is more than one record batch");
  if (h.base_offset.v != 0) return refuse(BatchFault::invalid_record, "the base offset is not 0");
  if (h.size_bytes() > limits.max_batch_bytes)
    return refuse(BatchFault::too_large, fmt::format("the batch has {} bytes, max.message.bytes is {}",
                                                     h.size_bytes(), limits.max_batch_bytes));
  uint32_t crc = crc32c(ByteSpan(bytes).subspan(kBatchCrcStart));
  crc = crc32c(batch.subspan(kBatchHeaderBytes, h.records_size_bytes()), crc);
  if (crc != h.crc) return refuse(BatchFault::corrupt_message, "the checksum is wrong");
  return h;
}

Result<void> check_rules(const BatchHeader& h, const ValidateLimits& limits) {
  if (!h.has_known_codec())
    return refuse(BatchFault::unknown_codec, fmt::format("compression codec {}", h.raw_codec()));
  if (h.codec() == Codec::zstd && !limits.allow_zstd)
    return refuse(BatchFault::unsupported_compression, "zstd needs a newer version of Produce");
  if (h.record_count <= 0 || h.last_offset_delta != h.record_count - 1)
    return refuse(BatchFault::invalid_record, fmt::format("{} records with a last offset delta of {}",
                                                          h.record_count, h.last_offset_delta));
  if (h.is_control()) return refuse(BatchFault::invalid_record, "producers may not write control batches");
  if (h.has_producer_id() && h.base_sequence < 0)
    return refuse(BatchFault::invalid_record, "a producer id without a base sequence");
  return {};
}

tl::unexpected<Error> refuse_records(const RecordReader& reader) {
  if (!reader.failed_decoding()) return refuse(BatchFault::invalid_record, reader.error().what);
  if (reader.error().code == Errc::kTooLarge) return refuse(BatchFault::too_large, reader.error().what);
  if (reader.error().code == Errc::kFull) return refuse(BatchFault::no_memory, reader.error().what);
  return refuse(BatchFault::undecodable, reader.error().what);
}

class RecordFaults {
 public:
  void add(BatchFault fault, int32_t index, std::string_view why) {
    if (fault != BatchFault::invalid_timestamp) fault_ = fault;
    if (count_++ < kMaxRecordFaults) first_.push_back({index, std::string(why)});
  }
  Result<void> outcome() {
    if (count_ == 0) return {};
    std::string text = fmt::format("record {}: {}", first_[0].index, first_[0].why);
    if (count_ > 1) text += fmt::format("; and {} more", count_ - 1);
    auto refused = refuse(fault_, text);
    refused.value().records = std::move(first_);
    return refused;
  }

 private:
  BatchFault fault_ = BatchFault::invalid_timestamp;  // as Kafka: if it is the fault of all of them
  size_t count_ = 0;
  std::vector<RecordFault> first_;
};

Result<void> check_records(ValidatedBatch& batch, const RecordsView& view, const ValidateLimits& limits) {
  RecordReader reader(view);
  RecordFaults faults;
  uint64_t text_size = 0;
  int64_t max_timestamp = kNoTimestamp;
  for (int32_t i = 0; i < view.record_count; ++i) {
    Record record;
    if (!reader.begin(record) || !reader.skip_value() || !reader.end(record)) return refuse_records(reader);
    if (record.offset_delta != i)
      return refuse(BatchFault::invalid_record, "offset deltas don't count up from 0");
    const bool lacks_key = limits.keys == Require::yes && record.key_size < 0;
    if (lacks_key) faults.add(BatchFault::invalid_record, i, "a compacted topic takes no record without a key");
    // Wraps around where the sum does not fit, as Kafka's arithmetic does.
    const auto timestamp = static_cast<int64_t>(static_cast<uint64_t>(batch.header.base_timestamp) +
                                                static_cast<uint64_t>(record.timestamp_delta));
    const bool is_off = timestamp < limits.min_timestamp || timestamp > limits.max_timestamp;
    if (is_off && !lacks_key && timestamp != kNoTimestamp)
      faults.add(BatchFault::invalid_timestamp, i,
                 fmt::format("its timestamp, {}, is not between {} and {}, which the topic takes", timestamp,
                             limits.min_timestamp, limits.max_timestamp));
    max_timestamp = std::max(max_timestamp, timestamp);
    text_size += record.text_bytes();
    if (text_size > limits.max_text_bytes)
      return refuse(BatchFault::too_large,
                    fmt::format("as text the batch is longer than {} bytes", limits.max_text_bytes));
  }
  if (!reader.at_end()) {
    if (reader.failed()) return refuse_records(reader);
    return refuse(BatchFault::invalid_record, "there are bytes behind the last record");
  }
  TRY(faults.outcome());
  batch.text_size_bytes = text_size;
  batch.max_timestamp = max_timestamp;
  return {};
}

}  // namespace

std::string_view name_of(BatchFault fault) {
  switch (fault) {
    case BatchFault::corrupt_message:
      return "corrupt message";
    case BatchFault::too_large:
      return "message too large";
    case BatchFault::invalid_record:
      return "invalid record";
    case BatchFault::old_magic:
      return "old message format";
    case BatchFault::unsupported_compression:
      return "unsupported compression type";
    case BatchFault::invalid_timestamp:
      return "invalid timestamp";
    case BatchFault::unknown_codec:
      return "unknown compression codec";
    case BatchFault::undecodable:
      return "undecodable payload";
    case BatchFault::no_memory:
      return "no memory for decompression";
  }
  return "unknown fault";
}

Errc errc_of(BatchFault fault) {
  switch (fault) {
    case BatchFault::corrupt_message:
      return Errc::kCorrupt;
    case BatchFault::too_large:
      return Errc::kTooLarge;
    case BatchFault::invalid_record:
      return Errc::kInvalidArgument;
    case BatchFault::old_magic:
      return Errc::kUnsupported;
    case BatchFault::unsupported_compression:
      return Errc::kUnsupported;
    case BatchFault::invalid_timestamp:
      return Errc::kInvalidArgument;
    case BatchFault::unknown_codec:
      return Errc::kUnsupported;
    case BatchFault::undecodable:
      return Errc::kCorrupt;
    case BatchFault::no_memory:
      return Errc::kFull;
  }
  return Errc::kInvalidArgument;
}

std::optional<BatchFault> fault_of(const Error& error) {
  for (BatchFault fault : kFaults) {
    const std::string_view name = name_of(fault);
    if (error.code == errc_of(fault) && error.what.starts_with(name) &&
        error.what.substr(name.size(), 2) == ": ")
      return fault;
  }
  return std::nullopt;
}

Result<ValidatedBatch> validate_batch(ByteSpan batch, const ValidateLimits& limits) {
  ValidatedBatch validated;
  TRY_ASSIGN(validated.header, check_header(batch, limits));
  TRY(check_rules(validated.header, limits));
  validated.size_bytes = validated.header.size_bytes();
  validated.record_count = validated.header.record_count;
  const ByteSpan records = batch.subspan(kBatchHeaderBytes, validated.header.records_size_bytes());
  const RecordsView view{std::span(&records, 1), 0,    records.size(), validated.header.codec(),
                         validated.record_count, false};
  TRY(check_records(validated, view, limits));
  return validated;
}

}  // namespace topicfs
