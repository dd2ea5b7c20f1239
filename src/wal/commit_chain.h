// CommitChain: how far a log holds. A commit counts only if it continues the one before it.
#pragma once

#include "wal/parse_commit.h"

namespace topicfs::wal {

class CommitChain {
 public:
  /// Of a log that is read from `from` on, which a checkpoint names; 0: from its beginning.
  explicit CommitChain(LogPosition from) : from_(from) {}

  /// Whether `commit`, of the segment `number`, comes next; `first` is its first entry, null if it has none.
  bool continues(uint32_t number, const ParsedCommit& commit, const EntryHeader* first) const {
    // If nothing holds in the segment that the checkpoint names, only a log that began behind it goes on from there.
    if (commits_ == 0) return commit.body.number == 1 || (from_.v != 0 && number == from_.segment());
    return commit.body.number == next_commit_ && commit.body.previous == previous_checksum_ &&
           (!first || first->sequence == next_sequence_);
  }
  void accept(const ParsedCommit& commit) {
    commits_++;
    next_commit_ = commit.body.number + 1;
    previous_checksum_ = commit.body.checksum;
    next_sequence_ = commit.last_sequence + 1;
  }

  uint64_t commits() const { return commits_; }
  uint64_t next_commit() const { return next_commit_; }
  uint64_t next_sequence() const { return next_sequence_; }
  uint32_t previous_checksum() const { return previous_checksum_; }

 private:
  LogPosition from_;
  uint64_t commits_ = 0, next_commit_ = 1, next_sequence_ = 1;
  uint32_t previous_checksum_ = 0;
};

}  // namespace topicfs::wal
