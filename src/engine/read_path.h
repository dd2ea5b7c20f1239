// ReadPath: text for files, batches for Kafka. Newest data is in the pool's chunks and answered at once; what
// was given up is read back from its segment, in the background; older data comes from objects by byte range.
#pragma once

#include <memory>

#include "engine/partition.h"
#include "engine/read_ahead.h"
#include "engine/stored_objects.h"
#include "wal/segments.h"

namespace topicfs {

struct ReadCounters {
  std::atomic<uint64_t> memory{0}, segments{0}, objects{0};  ///< reads answered from there
};

class ReadPath {
 public:
  /// `ahead_bytes`: what may be got for sequential readers of objects before they ask, all together.
  ReadPath(wal::Segments& segments, LogDevice& device, StoredObjects& objects, uint64_t ahead_bytes)
      : segments_(segments), device_(device), objects_(objects), ahead_(objects, ahead_bytes) {}

  void read_text(Partition& partition, TextPosition from, size_t max_bytes, Completion<TextRead> done);
  void fetch(Partition& partition, Offset from, size_t max_bytes, Completion<Fetched> done);
  void find_timestamp(Partition& partition, int64_t timestamp, Completion<TimestampedOffset> done);
  /// Where the text of the record at `offset`, or of the next one after a gap, begins; the offset lies between the log
  /// start and the durable end.
  void find_text(Partition& partition, Offset offset, Completion<TextPosition> done);

  const ReadCounters& counters() const { return counters_; }
  ReadAheadCounters ahead_counters() const { return ahead_.counters(); }

 private:
  /// A read that was not answered from memory. Shared by the steps that carry it out, one after another.
  struct TextRequest;
  struct FetchRequest;
  struct TimestampRequest;
  struct SpotRequest;
  bool text_from_memory(TextRequest& r, const std::vector<BatchRef>& refs);
  void text_from_segments(std::shared_ptr<TextRequest> r, std::vector<BatchRef> refs);
  void text_from_object(std::shared_ptr<TextRequest> r, const Extent& extent);
  void try_text(std::shared_ptr<TextRequest> r);
  bool fetch_from_memory(FetchRequest& r, const std::vector<BatchRef>& refs);
  void fetch_from_segments(std::shared_ptr<FetchRequest> r, std::vector<BatchRef> refs);
  void fetch_from_object(std::shared_ptr<FetchRequest> r, const Extent& extent);
  void try_fetch(std::shared_ptr<FetchRequest> r);
  void search(std::shared_ptr<TimestampRequest> r);
  void find_in(std::shared_ptr<TimestampRequest> r, Offset from);
  void find_latest(std::shared_ptr<TimestampRequest> r, Offset from, Offset end, int64_t latest);
  void look_for(std::shared_ptr<TimestampRequest> r, int64_t target);
  void not_found(const std::shared_ptr<TimestampRequest>& r);
  void try_spot(std::shared_ptr<SpotRequest> r);
  Result<DirectBytes> read_entry(const BatchRef& ref);

  wal::Segments& segments_;
  LogDevice& device_;
  StoredObjects& objects_;
  ReadAhead ahead_;
  ReadCounters counters_;
};

}  // namespace topicfs
