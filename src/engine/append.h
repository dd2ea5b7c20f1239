// What AppendPath works on: one append on its way, and one that waits for room. For its own sources only.
#pragma once

#include "engine/append_path.h"
#include "engine/file_batch.h"

namespace topicfs {

/// One append on its way.
struct AppendPath::Append {
  Partition* partition = nullptr;
  AppendOptions options;
  Completion<Appended> done;
  wal::Reserve reserve = wal::Reserve::keep;
  WallMilliseconds now{0};

  // a text ...
  std::span<const ByteSpan> pieces;
  size_t text_bytes = 0;
  std::vector<LinesPlan> plan;  // of the batches of a large one

  // ... or a batch
  ByteSpan batch;
  ValidatedBatch checked;
  BatchHeaderBytes header;
  ProducerMark producer;

  // where it came to lie
  std::vector<Part> parts;  // those that are filled without the lock
  Appended value;
  Offset end;
  Error error;

  bool is_control() const { return reserve != wal::Reserve::keep; }
  bool is_batch() const { return !batch.empty(); }
  /// The records of a text. One of the engine's own stays one, however long: who reads it back decodes it as a whole.
  LineSplitter lines() const { return {pieces, is_control() ? kMaxValueBytes : kMaxTextAppendBytes}; }
  bool is_large() const { return (is_batch() ? batch.size() : text_bytes) > kCopyUnderLock; }
};

/// An append that waits for room, with its own copy of the bytes.
struct AppendPath::Waiting {
  RequestId id = 0;
  MonotonicTime since{0}, deadline{0};
  std::vector<std::byte> bytes;
  ByteSpan piece;
  Append append;
};

}  // namespace topicfs
