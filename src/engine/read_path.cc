#include "engine/read_path.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "record/text.h"
#include "record/timestamps.h"
#include "wal/parse_commit.h"

namespace topicfs {
namespace {

constexpr int kMaxTries = 4;                // the log may go on under a reader's feet that often
constexpr size_t kMaxReadBytes = 16 << 20;  // of one read, whatever is asked for

/// What keeps the pieces of an answer where they are.
struct Kept {
  explicit Kept(ChunkPool& pool) : pins(pool) {}
  wal::PinSet pins;
  std::vector<std::shared_ptr<const void>> read;
  std::unique_ptr<std::byte[]> rendered;
  Pin below;
};

RecordsView records_of(const BatchRef& ref, std::span<const ByteSpan> pieces) {
  return {pieces, 0, ref.bytes - kBatchHeaderBytes, static_cast<Codec>(ref.codec),
          static_cast<int32_t>(ref.records), ref.control};
}

uint64_t skip_of(TextPosition from, TextPosition text) { return static_cast<uint64_t>(std::max<int64_t>(0, from - text)); }

wal::LogPosition body_of(const BatchRef& ref) { return {ref.at.v + sizeof(wal::EntryHeader)}; }

Bytes bytes_of(TextGather& gather, std::shared_ptr<Kept> kept) {
  Bytes bytes;
  bytes.pieces.assign(gather.pieces().begin(), gather.pieces().end());
  bytes.size = gather.size();
  kept->rendered = gather.take_buffer();
  bytes.pin = std::move(kept);
  return bytes;
}

Error gone() { return {Errc::kUnavailable, 0, "the data moved while it was read; read again"}; }

}  // namespace

struct ReadPath::TextRequest {
  Partition& partition;
  TextPosition from;
  size_t max_bytes;
  Completion<TextRead> done;
  PartitionEnds ends;
  int tries = 0;
};

struct ReadPath::FetchRequest {
  Partition& partition;
  Offset from;
  size_t max_bytes;
  Completion<Fetched> done;
  PartitionEnds ends;
  int tries = 0;
};

struct ReadPath::TimestampRequest {
  Partition& partition;
  int64_t timestamp;  // as it was asked for
  Completion<TimestampedOffset> done;
  int64_t target = -1;  // the first record that has this, or a larger one
  int tries = 0;
};

struct ReadPath::SpotRequest {
  Partition& partition;
  Offset offset;
  Completion<TextPosition> done;
  int tries = 0;
};

// ---- text

void ReadPath::read_text(Partition& partition, TextPosition from, size_t max_bytes, Completion<TextRead> done) {
  auto r = std::make_shared<TextRequest>(
      TextRequest{partition, from, std::min(max_bytes, kMaxReadBytes), std::move(done), {}});
  try_text(std::move(r));
}

void ReadPath::try_text(std::shared_ptr<TextRequest> r) {
  if (++r->tries > kMaxTries) return r->done(tl::unexpected<Error>(gone()));
  r->ends = r->partition.ends();
  if (r->from < r->ends.text_start)
    return r->done(fail(Errc::kOutOfRange, "this part of the file has been deleted"));
  if (r->from >= r->ends.text_end || r->max_bytes == 0) return r->done(TextRead{{}, r->ends});
  Partition::Cover cover = r->partition.cover(r->from, r->max_bytes);
  if (cover.extent) return text_from_object(std::move(r), *cover.extent);
  if (cover.refs.empty()) return r->done(TextRead{{}, r->ends});
  if (!text_from_memory(*r, cover.refs)) text_from_segments(std::move(r), std::move(cover.refs));
}

/// Answers with as many of the batches as are in memory; false if the first one is not.
bool ReadPath::text_from_memory(TextRequest& r, const std::vector<BatchRef>& refs) {
  auto kept = std::make_shared<Kept>(segments_.pool());
  TextGather gather(r.max_bytes);
  std::vector<ByteSpan> pieces;
  bool any = false;
  for (const BatchRef& ref : refs) {
    pieces.clear();
    wal::LogPosition records{body_of(ref).v + kBatchHeaderBytes};
    if (!segments_.pin(records, ref.bytes - kBatchHeaderBytes, pieces, kept->pins)) break;
    auto added = gather.add(records_of(ref, pieces), static_cast<uint64_t>(ref.text_bytes), skip_of(r.from, ref.text));
    if (!added && !any) return r.done(tl::unexpected<Error>(std::move(added).error())), true;
    if (!added) break;
    any = true;
    if (gather.is_full()) break;
  }
  if (!any) return false;
  counters_.memory++;
  r.done(TextRead{bytes_of(gather, std::move(kept)), r.ends});
  return true;
}

void ReadPath::text_from_segments(std::shared_ptr<TextRequest> r, std::vector<BatchRef> refs) {
  device_.run([this, r = std::move(r), refs = std::move(refs)] {
    auto kept = std::make_shared<Kept>(segments_.pool());
    TextGather gather(r->max_bytes);
    for (const BatchRef& ref : refs) {
      auto entry = read_entry(ref);
      if (!entry && gather.size() > 0) break;
      if (!entry && entry.error().code == Errc::kNotFound) return try_text(r);
      if (!entry) return r->done(tl::unexpected<Error>(std::move(entry).error()));
      ByteSpan records = entry->bytes.subspan(kBatchHeaderBytes);
      kept->read.push_back(std::move(entry->owner));
      auto added = gather.add(records_of(ref, {&records, 1}), static_cast<uint64_t>(ref.text_bytes),
                              skip_of(r->from, ref.text));
      if (!added && gather.size() == 0) return r->done(tl::unexpected<Error>(std::move(added).error()));
      if (!added || gather.is_full()) break;
    }
    counters_.segments++;
    r->done(TextRead{bytes_of(gather, std::move(kept)), r->ends});
  });
}

void ReadPath::text_from_object(std::shared_ptr<TextRequest> r, const Extent& extent) {
  counters_.objects++;
  objects_.read(extent, r->partition.id, r->from, r->max_bytes, [this, r](Result<ObjectRead> read) {
    if (!read && r->from < r->partition.ends().text_start) return try_text(r);  // deleted, and the object with it
    if (!read) return r->done(tl::unexpected<Error>(std::move(read).error()));
    auto kept = std::make_shared<Kept>(segments_.pool());
    kept->below = std::move(read->pin);
    TextGather gather(r->max_bytes);
    for (const BatchView& batch : read->batches) {
      auto header = BatchHeader::parse(batch.bytes);
      if (!header) return r->done(tl::unexpected<Error>(std::move(header).error()));
      auto view = RecordsView::of_batch(*header, {&batch.bytes, 1});
      Result<void> added;
      if (view) added = gather.add(*view, batch.text_length, skip_of(r->from, batch.text_position));
      else added = tl::unexpected<Error>(view.error());
      if (!added && gather.size() == 0) return r->done(tl::unexpected<Error>(std::move(added).error()));
      if (!added || gather.is_full()) break;
    }
    const TextPosition from = std::max(r->from, read->batches.front().text_position);
    const auto size = static_cast<int64_t>(gather.size());
    r->done(TextRead{bytes_of(gather, std::move(kept)), r->ends});
    ahead_.on_read(r->partition, r->from, from + size, static_cast<uint64_t>(size));
  });
}

// ---- batches

void ReadPath::fetch(Partition& partition, Offset from, size_t max_bytes, Completion<Fetched> done) {
  try_fetch(std::make_shared<FetchRequest>(
      FetchRequest{partition, from, std::min(max_bytes, kMaxReadBytes), std::move(done), {}}));
}

void ReadPath::try_fetch(std::shared_ptr<FetchRequest> r) {
  if (++r->tries > kMaxTries) return r->done(tl::unexpected<Error>(gone()));
  r->ends = r->partition.ends();
  if (r->from < r->ends.log_start || r->from > r->ends.visible_end)
    return r->done(fail(Errc::kOutOfRange, "offset " + std::to_string(r->from.v) + " is outside of the log's " +
                                               std::to_string(r->ends.log_start.v) + " to " +
                                               std::to_string(r->ends.visible_end.v)));
  if (planted(PlantedBug::fetch_not_durable)) r->ends.durable_end = r->ends.visible_end;
  if (r->from >= r->ends.durable_end) return r->done(Fetched{{}, r->ends});
  Partition::Cover cover = r->partition.cover(r->from, r->ends.durable_end, r->max_bytes);
  if (cover.extent) return fetch_from_object(std::move(r), *cover.extent);
  if (cover.refs.empty()) return r->done(Fetched{{}, r->ends});
  if (!fetch_from_memory(*r, cover.refs)) fetch_from_segments(std::move(r), std::move(cover.refs));
}

bool ReadPath::fetch_from_memory(FetchRequest& r, const std::vector<BatchRef>& refs) {
  auto pins = std::make_shared<wal::PinSet>(segments_.pool());
  Fetched fetched;
  for (const BatchRef& ref : refs) {
    if (!segments_.pin(body_of(ref), ref.bytes, fetched.batches.pieces, *pins)) break;
    fetched.batches.size += ref.bytes;
  }
  if (fetched.batches.size == 0) return false;
  counters_.memory++;
  fetched.batches.pin = std::move(pins);
  fetched.ends = r.ends;
  r.done(std::move(fetched));
  return true;
}

void ReadPath::fetch_from_segments(std::shared_ptr<FetchRequest> r, std::vector<BatchRef> refs) {
  device_.run([this, r = std::move(r), refs = std::move(refs)] {
    auto kept = std::make_shared<Kept>(segments_.pool());
    Fetched fetched;
    for (const BatchRef& ref : refs) {
      auto entry = read_entry(ref);
      if (!entry && fetched.batches.size > 0) break;
      if (!entry && entry.error().code == Errc::kNotFound) return try_fetch(r);
      if (!entry) return r->done(tl::unexpected<Error>(std::move(entry).error()));
      fetched.batches.pieces.push_back(entry->bytes);
      fetched.batches.size += entry->bytes.size();
      kept->read.push_back(std::move(entry->owner));
    }
    counters_.segments++;
    fetched.batches.pin = std::move(kept);
    fetched.ends = r->ends;
    r->done(std::move(fetched));
  });
}

void ReadPath::fetch_from_object(std::shared_ptr<FetchRequest> r, const Extent& extent) {
  counters_.objects++;
  objects_.read(extent, r->partition.id, r->from, r->max_bytes, [this, r](Result<ObjectRead> read) {
    if (!read && r->from < r->partition.ends().log_start) return try_fetch(r);
    if (!read) return r->done(tl::unexpected<Error>(std::move(read).error()));
    Fetched fetched;
    for (const BatchView& batch : read->batches) {
      // Batches of one block stand side by side: one piece.
      auto& pieces = fetched.batches.pieces;
      if (!pieces.empty() && pieces.back().data() + pieces.back().size() == batch.bytes.data())
        pieces.back() = {pieces.back().data(), pieces.back().size() + batch.bytes.size()};
      else
        pieces.push_back(batch.bytes);
      fetched.batches.size += batch.bytes.size();
    }
    const Offset end = read->batches.back().end_offset;
    const uint64_t size = fetched.batches.size;
    fetched.batches.pin = std::move(read->pin);
    fetched.ends = r->ends;
    r->done(std::move(fetched));
    ahead_.on_read(r->partition, r->from, end, size);
  });
}

/// The batch of an entry, from its segment's file. kNotFound if the log has gone on and used the place again.
Result<DirectBytes> ReadPath::read_entry(const BatchRef& ref) {
  TRY_ASSIGN(DirectBytes read, segments_.read(ref.at, sizeof(wal::EntryHeader) + ref.bytes));
  auto entry = wal::parse_entry(read.bytes, 0, ref.at.segment());
  if (!entry || entry->sequence != ref.sequence) {
    wal::EntryHeader found = wal::load_entry(read.bytes.data());
    if (found.segment != ref.at.segment()) return fail(Errc::kNotFound, "the log has gone on");
    return fail(Errc::kCorrupt, "the log's copy of offset " + std::to_string(ref.base.v) +
                                    " fails its checksum");
  }
  read.bytes = read.bytes.subspan(sizeof(wal::EntryHeader));
  return read;
}

// ---- timestamps

void ReadPath::find_timestamp(Partition& partition, int64_t timestamp, Completion<TimestampedOffset> done) {
  search(std::make_shared<TimestampRequest>(TimestampRequest{partition, timestamp, std::move(done)}));
}

void ReadPath::search(std::shared_ptr<TimestampRequest> r) {
  if (r->timestamp != Engine::kMaxTimestamp) return look_for(r, r->timestamp);
  Partition::Latest latest = r->partition.latest_timestamp(r->partition.durable_end());
  if (latest.cut > latest.whole) find_latest(r, r->partition.ends().log_start, latest.cut_end, latest.whole);
  else look_for(r, latest.whole);
}

namespace {

/// Calls `see` with the header of each batch and the bytes from it on, until it answers Flow::stop. Answers where the
/// next batch is.
template <class See>
Result<Offset> for_each_batch(const Fetched& fetched, See see) {
  std::vector<std::byte> joined;
  for (ByteSpan p : fetched.batches.pieces) joined.insert(joined.end(), p.begin(), p.end());
  Offset next{-1};
  for (ByteSpan rest = joined; !rest.empty();) {
    auto header = BatchHeader::parse(rest);
    if (!header || header->size_bytes() > rest.size()) return fail(Errc::kCorrupt, "a stored batch does not parse");
    next = header->next_offset();
    TRY_ASSIGN(Flow flow, see(*header, rest));
    if (flow == Flow::stop) break;
    rest = rest.subspan(header->size_bytes());
  }
  return next;
}

constexpr size_t kSearchStep = 1 << 20;

}  // namespace

/// The largest timestamp up to `end`, of what is left in the batches from the log start on.
void ReadPath::find_latest(std::shared_ptr<TimestampRequest> r, Offset from, Offset end, int64_t latest) {
  if (from >= end) return look_for(r, latest);
  fetch(r->partition, from, kSearchStep, [this, r, end, latest](Result<Fetched> fetched) mutable {
    if (!fetched && fetched.error().code == Errc::kOutOfRange && ++r->tries < kMaxTries) return search(r);
    if (!fetched) return r->done(tl::unexpected<Error>(std::move(fetched).error()));
    auto next = for_each_batch(*fetched, [&](const BatchHeader& header, ByteSpan bytes) -> Result<Flow> {
      if (header.base_offset >= end) return Flow::stop;
      if (header.max_timestamp <= latest) return Flow::go_on;
      if (header.base_offset >= fetched->ends.log_start) return latest = header.max_timestamp, Flow::go_on;
      TRY_ASSIGN(RecordsView view, RecordsView::of_batch(header, {&bytes, 1}));
      TRY_ASSIGN(auto left, find_max_timestamp(header, view, fetched->ends.log_start));
      if (left) latest = std::max(latest, left->timestamp);
      return Flow::go_on;
    });
    if (!next) return r->done(tl::unexpected<Error>(std::move(next).error()));
    if (next->v < 0) return look_for(r, latest);
    find_latest(r, *next, end, latest);
  });
}

void ReadPath::look_for(std::shared_ptr<TimestampRequest> r, int64_t target) {
  if (r->timestamp == Engine::kMaxTimestamp && target < 0) return r->done(TimestampedOffset{});
  r->target = target;
  Partition::Cover cover = r->partition.cover_timestamp(target, r->partition.durable_end());
  if (!cover.extent && cover.refs.empty()) return not_found(r);
  Offset from = std::max(cover.extent ? cover.extent->base : cover.refs.front().base, r->partition.ends().log_start);
  find_in(std::move(r), from);
}

/// Goes through the batches from `from` on until one has the record.
void ReadPath::find_in(std::shared_ptr<TimestampRequest> r, Offset from) {
  fetch(r->partition, from, kSearchStep, [this, r](Result<Fetched> fetched) {
    // Deleted while it was searched: the records that are left decide.
    if (!fetched && fetched.error().code == Errc::kOutOfRange && ++r->tries < kMaxTries) return search(r);
    if (!fetched) return r->done(tl::unexpected<Error>(std::move(fetched).error()));
    std::optional<FoundRecord> found;
    auto next = for_each_batch(*fetched, [&](const BatchHeader& header, ByteSpan bytes) -> Result<Flow> {
      if (header.max_timestamp < r->target) return Flow::go_on;
      TRY_ASSIGN(RecordsView view, RecordsView::of_batch(header, {&bytes, 1}));
      TRY_ASSIGN(found, topicfs::find_timestamp(header, view, r->target, fetched->ends.log_start));
      return found ? Flow::stop : Flow::go_on;
    });
    if (!next) return r->done(tl::unexpected<Error>(std::move(next).error()));
    if (found) return r->done(TimestampedOffset{found->offset, found->timestamp});
    if (next->v < 0) return not_found(r);
    find_in(r, *next);
  });
}

/// Something has the largest timestamp, unless that was deleted since.
void ReadPath::not_found(const std::shared_ptr<TimestampRequest>& r) {
  if (r->timestamp == Engine::kMaxTimestamp && ++r->tries < kMaxTries) return search(r);
  r->done(TimestampedOffset{});
}

// ---- the text position of a record

namespace {

/// Length of the text of the batch's records before `offset`.
Result<int64_t> text_before(const RecordsView& records, Offset base, Offset offset) {
  int64_t before = 0;
  if (records.is_control) return before;
  TRY(for_each_record(records, [&](const Record& record) {
    if (base + record.offset_delta >= offset) return Flow::stop;
    before += static_cast<int64_t>(record.text_bytes());
    return Flow::go_on;
  }));
  return before;
}

Result<TextPosition> text_of(const BatchView& batch, Offset offset) {
  if (batch.base_offset >= offset) return batch.text_position;
  TRY_ASSIGN(BatchHeader header, BatchHeader::parse(batch.bytes));
  TRY_ASSIGN(RecordsView records, RecordsView::of_batch(header, {&batch.bytes, 1}));
  TRY_ASSIGN(int64_t before, text_before(records, batch.base_offset, offset));
  return batch.text_position + before;
}

}  // namespace

void ReadPath::find_text(Partition& partition, Offset offset, Completion<TextPosition> done) {
  try_spot(std::make_shared<SpotRequest>(SpotRequest{partition, offset, std::move(done)}));
}

void ReadPath::try_spot(std::shared_ptr<SpotRequest> r) {
  if (++r->tries > kMaxTries) return r->done(tl::unexpected<Error>(gone()));
  Partition::Spot spot = r->partition.spot(r->offset);
  if (spot.text) return r->done(*spot.text);
  if (spot.extent) {
    return objects_.read(*spot.extent, r->partition.id, r->offset, 1, [r](Result<ObjectRead> read) {
      if (read) r->done(text_of(read->batches.front(), r->offset));
      else r->done(tl::unexpected<Error>(std::move(read).error()));
    });
  }
  device_.run([this, r, ref = *spot.ref] {  // also where it is in memory: long batches take time to decode
    wal::PinSet pins(segments_.pool());
    std::vector<ByteSpan> pieces;
    std::shared_ptr<const void> read;
    wal::LogPosition records{body_of(ref).v + kBatchHeaderBytes};
    if (!segments_.pin(records, ref.bytes - kBatchHeaderBytes, pieces, pins)) {
      auto entry = read_entry(ref);
      if (!entry && entry.error().code == Errc::kNotFound) return try_spot(r);
      if (!entry) return r->done(tl::unexpected<Error>(std::move(entry).error()));
      pieces = {entry->bytes.subspan(kBatchHeaderBytes)};
      read = std::move(entry->owner);
    }
    auto before = text_before(records_of(ref, pieces), ref.base, r->offset);
    if (before) r->done(ref.text + *before);
    else r->done(tl::unexpected<Error>(std::move(before).error()));
  });
}

}  // namespace topicfs
