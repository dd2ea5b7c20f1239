#include "wal/recovery.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "base/planted_bug.h"
#include "wal/commit_chain.h"
#include "wal/segment_buffer.h"

namespace topicfs::wal {
namespace {

struct Found {
  std::string path;
  SegmentHeader header;
};

class Recovery {
 public:
  Recovery(FileSystem& fs, const std::string& directory, const Uuid& store, LogPosition from, Segments& segments,
           RecoveryHandler& handler)
      : fs_(fs), directory_(directory), store_(store), from_(from), segments_(segments), handler_(handler), chain_(from) {}

  Result<Recovered> run() {
    TRY(find_segments());
    TRY(check_beginning());
    for (size_t i = 0; i < found_.size(); i++) TRY(replay(found_[i]));
    TRY(look_for_damage());
    TRY(make_durable());
    TRY(hand_over());
    recovered_.commits = chain_.commits();
    recovered_.start.commit = chain_.next_commit();
    recovered_.start.previous_checksum = chain_.previous_checksum();
    recovered_.start.sequence = chain_.next_sequence();
    return recovered_;
  }

 private:
  Result<void> find_segments() {
    TRY_ASSIGN(auto names, fs_.list(directory_));
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      if (!name.starts_with("segment-")) continue;
      std::string path = directory_ + "/" + name;
      TRY_ASSIGN(ByteSpan block, buffer_.read(fs_, path, kBlockBytes));
      auto header = decode_segment_header(block);
      if (!header) {
        if (header.error().code == Errc::kUnsupported) return fail(Errc::kUnsupported, path + ": " + header.error().what);
        unreadable_.push_back(path);
        continue;
      }
      if (header->store != store_)
        return fail(Errc::kInvalidArgument, path + " belongs to another store; give this data directory its own");
      recovered_.start.segment = std::max(recovered_.start.segment,
                                          header->segment + (planted(PlantedBug::continue_in_found_segment) ? 0 : 1));
      if (header->segment < from_.segment()) free_.push_back(path);
      else found_.push_back({path, *header});
    }
    std::sort(found_.begin(), found_.end(),
              [](const Found& a, const Found& b) { return a.header.segment < b.header.segment; });
    for (size_t i = 1; i < found_.size(); i++)
      if (found_[i].header.segment == found_[i - 1].header.segment)
        return fail(Errc::kCorrupt, found_[i].path + " and " + found_[i - 1].path + " are the same segment");
    return {};
  }

  Result<void> check_beginning() {
    if (from_.v == 0 || (!found_.empty() && found_.front().header.segment == from_.segment())) return {};
    return fail(Errc::kCorrupt, fmt::format("log segment {} is missing from {}, and the checkpoint needs it; "
                                            "restore it, or recover from the bucket with an empty data directory",
                                            from_.segment(), directory_));
  }

  /// Hands on the commits of one segment, as far as the chain goes.
  Result<void> replay(const Found& f) {
    TRY_ASSIGN(ByteSpan bytes, buffer_.read(fs_, f.path, f.header.bytes));
    uint32_t at = kBlockBytes;
    for (;;) {
      entries_.clear();
      auto commit = parse_commit(bytes, at, f.header.segment,
                                 [&](const EntryHeader& e, uint32_t byte) { entries_.push_back({e, byte}); });
      if (!commit || !continues(f, *commit)) break;
      TRY(accept(f, bytes, at, *commit));
      at = commit->end;
    }
    ends_.push_back(at);
    return {};
  }

  bool continues(const Found& f, const ParsedCommit& commit) const {
    if (planted(PlantedBug::ignore_chain)) return true;
    return chain_.continues(f.header.segment, commit, entries_.empty() ? nullptr : &entries_.front().header);
  }

  Result<void> accept(const Found& f, ByteSpan bytes, uint32_t at, const ParsedCommit& commit) {
    for (const Entry& e : entries_) {
      LogPosition position = LogPosition::at(f.header.segment, e.byte);
      if (position < from_ || e.header.type != EntryType::batch) continue;
      TRY(handler_.on_entry({e.header, position, bytes.subspan(e.byte + sizeof(EntryHeader), e.header.body_bytes)}));
      recovered_.entries++;
    }
    chain_.accept(commit);
    recovered_.bytes += commit.end - at;
    recovered_.end = LogPosition::at(f.header.segment, commit.end);
    if (recovered_.end > from_) handler_.on_commit(recovered_.end);
    last_ = &f;
    return {};
  }

  /// A whole commit behind the break means that what is broken had been acknowledged.
  Result<void> look_for_damage() {
    if (chain_.commits() == 0 && found_.empty() && unreadable_.empty()) return {};
    for (size_t i = 0; i < found_.size(); i++) {
      if (last_ && found_[i].header.segment < last_->header.segment) continue;
      TRY_ASSIGN(ByteSpan bytes, buffer_.read(fs_, found_[i].path, found_[i].header.bytes));
      TRY(refuse_commits_behind(found_[i].path, bytes, ends_[i], found_[i].header.segment));
      count_torn(found_[i], bytes, ends_[i]);
    }
    for (const std::string& path : unreadable_) {
      TRY_ASSIGN(auto file, fs_.open(path, OpenMode::read, SyncMethod::buffered));
      TRY_ASSIGN(uint64_t size, file->size());
      TRY_ASSIGN(ByteSpan bytes, buffer_.read(fs_, path, std::min(align_up(size, kBlockBytes), kMaxSegmentBytes)));
      for (uint64_t at = 0; at + sizeof(EntryHeader) <= bytes.size(); at += kBlockBytes)
        TRY(refuse_commit_at(path, bytes, static_cast<uint32_t>(at), load_entry(bytes.data() + at).segment));
      free_.push_back(path);
    }
    return {};
  }

  Result<void> refuse_commits_behind(const std::string& path, ByteSpan bytes, uint32_t from, uint32_t number) {
    for (uint64_t at = from; at < bytes.size(); at += kBlockBytes)
      TRY(refuse_commit_at(path, bytes, static_cast<uint32_t>(at), number));
    return {};
  }

  Result<void> refuse_commit_at(const std::string& path, ByteSpan bytes, uint32_t at, uint32_t number) {
    auto commit = parse_commit(bytes, at, number, [](const EntryHeader&, uint32_t) {});
    if (!commit || commit->body.number < chain_.next_commit()) return {};
    // Also when nothing was accepted: then the log's very beginning is what is damaged.
    return fail(Errc::kCorrupt,
                fmt::format("the log is damaged before commit {} (in {} at byte {}): commit {} is missing or does not "
                            "match its checksums, and what it held had been acknowledged; restore the data directory from a "
                            "copy, start with an empty one to recover what is in the store, or see topicfsctl repair",
                            commit->body.number, path, at, chain_.next_commit()));
  }

  void count_torn(const Found& f, ByteSpan bytes, uint32_t from) {
    uint64_t at = from;
    while (auto e = parse_entry(bytes, at, f.header.segment)) at += entry_footprint(e->body_bytes);
    if (at == from) return;
    recovered_.torn_bytes += at - from;
    LOG_WARNING("dropped {} bytes at the end of the log, in {}: they were being written when the machine or the "
                "daemon stopped, and had not been acknowledged", at - from, f.path);
  }

  /// What was accepted may have come from a device cache or, for buffered writes, never have been synced.
  Result<void> make_durable() {
    if (planted(PlantedBug::publish_before_second_sync)) return {};
    for (const Found& f : found_) {
      TRY_ASSIGN(auto file, fs_.open(f.path, OpenMode::read_write, SyncMethod::buffered));
      TRY(file->sync());
    }
    return fs_.sync_directory(directory_);
  }

  /// Segments with accepted commits stay, and the one that the checkpoint names; those behind them hold nothing and
  /// can be used again.
  Result<void> hand_over() {
    for (size_t i = 0; i < found_.size(); i++) {
      uint32_t number = found_[i].header.segment;
      bool holds = (last_ && number <= last_->header.segment) || number == from_.segment();
      if (holds) TRY(segments_.adopt(found_[i].header.segment, found_[i].path, ends_[i]));
      else free_.push_back(found_[i].path);
    }
    for (const std::string& path : free_) segments_.add_free(path);
    return {};
  }

  struct Entry {
    EntryHeader header;
    uint32_t byte;
  };

  FileSystem& fs_;
  const std::string& directory_;
  const Uuid& store_;
  const LogPosition from_;
  Segments& segments_;
  RecoveryHandler& handler_;
  std::vector<Found> found_;
  std::vector<uint32_t> ends_;  // per found segment: behind its last accepted commit
  std::vector<std::string> free_, unreadable_;
  const Found* last_ = nullptr;
  std::vector<Entry> entries_;
  SegmentBuffer buffer_;
  CommitChain chain_;
  Recovered recovered_;
};

}  // namespace

Result<Recovered> recover(FileSystem& fs, const std::string& directory, const Uuid& store, LogPosition from,
                          Segments& segments, RecoveryHandler& handler) {
  return Recovery(fs, directory, store, from, segments, handler).run();
}

}  // namespace topicfs::wal
