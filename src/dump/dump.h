// What topicfs writes, printed: log segments, objects, checkpoints. topicfs-dump(1); the bytes are described in
// topicfs-format(5).
#pragma once

#include "dump/printer.h"
#include "dump/source.h"

namespace topicfs::dump {

enum class Detail {
  batches,  ///< an object's index, a segment's entries
  records,  ///< and every record, with its value
};

/// Finds out what it is by its first bytes. kUnsupported: none of ours, or of a later version; kCorrupt: damaged, told
/// after all that could be printed was.
Result<void> dump(Source& source, Detail detail, Printer& out);

Result<void> dump_segment(Source& source, Detail detail, Printer& out);
Result<void> dump_object(Source& source, Detail detail, Printer& out);
Result<void> dump_checkpoint(Source& source, Printer& out);

/// The records of a batch, one a line.
Result<void> dump_records(ByteSpan batch, int depth, Printer& out);
/// The members that every batch has.
void put_batch_header(ByteSpan batch, Printer& out);

}  // namespace topicfs::dump
