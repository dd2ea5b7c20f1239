// A log segment: its commits in order, and what stands behind the last one that follows on.
#include "base/random.h"
#include "dump/dump.h"
#include "wal/parse_commit.h"

namespace topicfs::dump {
namespace {

using wal::EntryHeader;

struct Listed {
  EntryHeader header;
  uint32_t at;
};

Result<void> closed() { return fail(Errc::kClosed, "the output is closed"); }

class SegmentDump {
 public:
  SegmentDump(ByteSpan bytes, uint32_t number, Detail detail, Printer& out)
      : bytes_(bytes), number_(number), detail_(detail), out_(out) {}

  Result<void> run() {
    uint32_t at = wal::kBlockBytes;
    while (at < bytes_.size()) {
      std::vector<Listed> entries;
      auto commit = wal::parse_commit(bytes_, at, number_, [&](const EntryHeader& e, uint32_t byte) { entries.push_back({e, byte}); });
      if (!commit) {
        if (gap_ == 0) gap_ = at;
        at += wal::kBlockBytes;
        continue;
      }
      TRY(end_gap(at));
      for (const Listed& e : entries) TRY(print(e));
      TRY(print(at, *commit));
      at = commit->end;
    }
    return tell_rest();
  }

 private:
  Result<void> print(const Listed& e) {
    ByteSpan body = bytes_.subspan(e.at + sizeof(EntryHeader), e.header.body_bytes);
    out_.begin("batch", 1);
    out_.put("at", e.at);
    out_.put("sequence", e.header.sequence);
    out_.put("partition", e.header.partition);
    out_.put("offset", e.header.base_offset);
    out_.put("records", e.header.records);
    out_.put("text_position", e.header.text_position);
    out_.put("text_bytes", e.header.text_bytes);
    out_.put("max_timestamp", e.header.max_timestamp);
    out_.put("bytes", e.header.body_bytes);
    out_.put("from", e.header.flags & wal::kEntryFromFile ? "file" : "kafka");
    if (e.header.flags & wal::kEntryGroupGoesOn) out_.put("group_goes_on", "yes");
    put_batch_header(body, out_);
    if (!out_.end()) return closed();
    // The engine's own records are what one looks for.
    if (detail_ == Detail::records || e.header.partition == kControlPartition.v) TRY(dump_records(body, 2, out_));
    return {};
  }

  Result<void> print(uint32_t at, const wal::ParsedCommit& c) {
    out_.begin("commit", 0);
    out_.put("at", at);
    out_.put("end", c.end);
    out_.put("number", c.body.number);
    out_.put("entries", c.body.entries);
    out_.put("wall_ms", c.body.wall_ms);
    out_.put("durable_segment", static_cast<uint32_t>(c.body.durable >> 32));
    out_.put("durable_byte", static_cast<uint32_t>(c.body.durable));
    out_.put("checksum", c.body.checksum);
    out_.put("previous", c.body.previous);
    return out_.end() ? Result<void>() : closed();
  }

  /// Between commits of one segment there is nothing, unless something is damaged.
  Result<void> end_gap(uint32_t at) {
    if (gap_ == 0) return {};
    damaged_ = true;
    out_.begin("damaged");
    out_.put("at", std::exchange(gap_, 0));
    out_.put("end", at);
    return out_.end() ? Result<void>() : closed();
  }

  Result<void> tell_rest() {
    out_.begin("rest");
    out_.put("at", gap_ ? gap_ : static_cast<uint32_t>(bytes_.size()));
    out_.put("bytes", static_cast<uint64_t>(gap_ ? bytes_.size() - gap_ : 0));
    uint64_t torn = gap_;
    while (auto e = gap_ ? wal::parse_entry(bytes_, torn, number_) : std::nullopt) torn += wal::entry_footprint(e->body_bytes);
    out_.put("torn_bytes", torn - gap_);
    if (!out_.end()) return closed();
    if (damaged_) return fail(Errc::kCorrupt, "commits are missing from the segment, or damaged");
    return {};
  }

  const ByteSpan bytes_;
  const uint32_t number_;
  const Detail detail_;
  Printer& out_;
  uint32_t gap_ = 0;
  bool damaged_ = false;
};

}  // namespace

Result<void> dump_segment(Source& source, Detail detail, Printer& out) {
  if (source.size_bytes() > wal::kMaxSegmentBytes) return fail(Errc::kUnsupported, "no segment is that large");
  TRY_ASSIGN(auto bytes, source.read(0, source.size_bytes()));
  TRY_ASSIGN(wal::SegmentHeader header, wal::decode_segment_header(bytes));
  out.begin("segment");
  out.put("number", header.segment);
  out.put("bytes", header.bytes);
  out.put("store", to_string(header.store));
  out.put("version", header.version);
  if (!out.end()) return closed();
  return SegmentDump(bytes, header.segment, detail, out).run();
}

}  // namespace topicfs::dump
