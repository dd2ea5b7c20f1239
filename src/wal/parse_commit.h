// parse_commit: one commit of a segment, checked from its first entry to its commit-entry.
#pragma once

#include <cstring>
#include <optional>

#include "codec/crc32c.h"
#include "codec/endian.h"
#include "wal/format.h"

namespace topicfs::wal {

struct ParsedCommit {
  CommitBody body;
  uint32_t end = 0;  ///< where the next commit would start
  uint64_t last_sequence = 0;  ///< of the last entry in it, or before it if it is empty
};

/// An entry whose header and CRCs hold, lying within `segment` at `at`; its batch's own CRC included.
inline std::optional<EntryHeader> parse_entry(ByteSpan segment, uint64_t at, uint32_t number) {
  if (at + sizeof(EntryHeader) > segment.size()) return std::nullopt;
  EntryHeader e = load_entry(segment.data() + at);
  uint64_t body = at + sizeof e;
  if (e.segment != number || e.body_bytes > segment.size() - body) return std::nullopt;
  switch (e.type) {
    case EntryType::batch:
    case EntryType::none:
      if (e.body_bytes < kBatchPrefixBytes) return std::nullopt;
      break;
    case EntryType::commit:
      if (e.body_bytes != sizeof(CommitBody)) return std::nullopt;
      break;
    default: return std::nullopt;  // a byte from the disk
  }
  ByteSpan bytes = segment.subspan(body, e.body_bytes);
  if (e.crc != entry_crc(e, bytes.first(covered_body_bytes(e.type, e.body_bytes)))) return std::nullopt;
  if (e.type == EntryType::batch &&
      load_be<uint32_t>(bytes.data() + kBatchPrefixBytes - 4) != crc32c(bytes.subspan(kBatchPrefixBytes)))
    return std::nullopt;
  return e;
}

/// The commit that starts at `at` of a segment's bytes, if there is a whole one. `visit(header, byte)` sees each
/// of its entries before it is known whether the commit is whole.
template <class Visit>
std::optional<ParsedCommit> parse_commit(ByteSpan segment, uint32_t start, uint32_t number, Visit visit) {
  uint64_t at = start, last_sequence = 0;
  uint32_t crcs = 0, entries = 0;
  for (;;) {
    std::optional<EntryHeader> e = parse_entry(segment, at, number);
    if (!e) return std::nullopt;
    if (e->type == EntryType::commit) {
      CommitBody body = load_commit(segment.data() + at + sizeof *e);
      if (body.start != start || body.entries != entries || (entries > 0 && e->sequence != last_sequence) || body.checksum != commit_checksum(crcs, body))
        return std::nullopt;
      return ParsedCommit{body, static_cast<uint32_t>(align_up(at + kCommitEntryBytes, kBlockBytes)), e->sequence};
    }
    if (entries > 0 && e->sequence != last_sequence + 1) return std::nullopt;
    last_sequence = e->sequence;
    visit(*e, static_cast<uint32_t>(at));
    crcs = crc32c({reinterpret_cast<const std::byte*>(&e->crc), sizeof e->crc}, crcs);
    entries++;
    at += entry_footprint(e->body_bytes);
  }
}

}  // namespace topicfs::wal
