// PartitionModel: what one partition must hold: every append that may have a place in the log, in the order in which
// it was made. The log takes appends in that order, so an append's offset and text position follow from those before.
#pragma once

#include <cstdint>
#include <deque>
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

  int64_t records() const { return static_cast<int64_t>(line_ends.size()); }
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
  Verdict cut_at(const PartitionEnds& ends, Cut& cut);
  /// Retention has moved the start: records before it need not be there.
  Verdict trim_to(Offset log_start, TextPosition text_start);

  Offset base() const { return base_; }
  TextPosition text_base() const { return text_base_; }
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

  Offset base_;             ///< of appends_.front()
  TextPosition text_base_;
  std::deque<ModelAppend> appends_;
};

}  // namespace topicfs::sim
