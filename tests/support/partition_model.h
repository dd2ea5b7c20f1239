// PartitionModel: what one partition must hold: every append that may have a place in the log, in the order in which
// it was made. The log takes appends in that order, so an append's offset and text position follow from those before.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <topicfs/engine.h>

namespace topicfs::sim {

/// Empty: it holds. Else what does not, for people.
using Verdict = std::string;

struct ModelAppend {
  uint64_t order = 0;               ///< over all partitions, by the time of the call
  std::string text;                 ///< as the file shows it
  std::vector<uint32_t> line_ends;  ///< in `text`, of each record
  std::string batch;                ///< as a producer sent it; empty for a text
  bool placed = false;              ///< it has a place for certain: answered, or reserved before the call returned
  static constexpr int64_t kUnknownTime = INT64_MIN;
  int64_t time = kUnknownTime;      ///< timestamp of its first record
  int64_t time_step = 0;            ///< from each record to the next

  int64_t records() const { return static_cast<int64_t>(line_ends.size()); }
  int64_t time_of(size_t record) const { return time == kUnknownTime ? time : time + time_step * static_cast<int64_t>(record); }
  /// It takes no more than this in the log, or in an object.
  int64_t stored_bytes_max() const { return static_cast<int64_t>(text.size() + batch.size()) + 100 * records() + 200; }
};

/// retention.ms and retention.bytes; negative: no limit.
struct ModelLimits {
  int64_t milliseconds = -1, bytes = -1;
};

class PartitionModel {
 public:
  explicit PartitionModel(PartitionId number) : id(number) {}

  const PartitionId id;
  Offset durable_seen;  ///< the furthest durable end that the engine has told of

  void add(ModelAppend append) { appends_.push_back(std::move(append)); }
  ModelAppend* find(uint64_t order);
  /// It was refused: it has no place.
  void remove(uint64_t order);

  /// What the engine answered to the append of that number.
  Verdict check_answer(uint64_t order, const Appended& value);
  /// The same of an append that came again: it is where it was, and nothing was added.
  Verdict check_repeated(uint64_t order, const Appended& value);
  /// `ends` while the engine runs.
  Verdict check_ends(const PartitionEnds& ends);
  /// Text that was read at `from`.
  Verdict check_text(TextPosition from, std::string_view bytes);
  /// Whole batches that were fetched from `from` on; `end` becomes the offset behind them.
  Verdict check_batches(Offset from, ByteSpan bytes, Offset& end);
  /// The engine has come back with these ends: drops the appends that are beyond them. The orders of the last append
  /// that is there and of the first that is not tell whether all partitions were cut at one point of the log.
  struct Cut {
    uint64_t last_kept = 0;
    uint64_t first_lost = UINT64_MAX;
    Offset lost_from;
  };
  /// `lost`: with its data directory. Deleted records are not in the store, so the partition may go on at its log start,
  /// within an append.
  Verdict cut_at(const PartitionEnds& ends, bool lost, Cut& cut);

  /// Order of the first append that has a place for certain and is not all before `end`; UINT64_MAX: none.
  uint64_t first_beyond(Offset end) const;

  // ---- the log start: it moves only where it was asked to, or as far as limits let it

  Offset start() const { return start_; }
  void ask_start(Offset start) { asked_.insert(start); }
  void refuse_start(Offset start) { asked_.extract(start); }
  /// `ends` while the engine runs; `now` is the latest that any clock has shown.
  Verdict check_start(const PartitionEnds& ends, std::span<const ModelLimits> limits, int64_t now);
  /// `ends` when the engine has come back: what was acknowledged has stayed, what is in doubt may have happened. `least`:
  /// it is not before this, however much was lost.
  Verdict accept_start(const PartitionEnds& ends, bool lost, Offset least, std::span<const ModelLimits> limits, int64_t now);
  /// The bucket knows of it.
  void start_is_stored() { stored_start_ = start_; }
  Offset stored_start() const { return stored_start_; }

  // ---- timestamps

  /// Of some record that is there, picked by `n`; kUnknownTime if it is not known.
  int64_t some_time(uint64_t n) const;
  /// An answer to find_timestamp. `ends`: now; durable_then: the durable end when it was asked.
  Verdict check_timestamp(int64_t timestamp, const TimestampedOffset& found, const PartitionEnds& ends, Offset durable_then) const;

  Offset end() const;
  TextPosition text_end() const;
  size_t appends() const { return appends_.size(); }
  /// Ends of the certain ones.
  Offset placed_end() const;

 private:
  struct Cursor {
    size_t append;
    Offset base;
    TextPosition text;
  };
  Cursor at(Offset offset) const;
  bool text_at(Offset offset, TextPosition& text) const;
  Verdict check_batch(Cursor& c, const struct BatchOnWire& batch);
  bool is_explained(Offset start, std::span<const ModelLimits> limits, int64_t now) const;
  bool is_outlived(Offset start, const ModelLimits& limits, int64_t now) const;

  std::deque<ModelAppend> appends_;  ///< all that were ever made and not lost: also what is deleted
  Offset start_, stored_start_;
  std::multiset<Offset> asked_;      ///< where it may move to
  std::set<Offset> starts_;          ///< where it has been
};

}  // namespace topicfs::sim
