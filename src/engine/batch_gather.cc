#include "engine/batch_gather.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "codec/crc32c.h"
#include "codec/endian.h"
#include "wal/parse_commit.h"

namespace topicfs {
namespace {

constexpr size_t kCopyBytes = 1 << 20;  // of the memory that copies of small batches share

}  // namespace

BatchGather::BatchGather(wal::Segments& segments) : segments_(segments), pins_(segments.pool(), wal::Pins::distinct) {}

void BatchGather::add(const BatchRef& batch) { batches_.push_back({batch.at, batch.sequence, batch.bytes}); }

std::span<const ByteSpan> BatchGather::pieces(size_t index) const {
  const Batch& b = batches_.at(index);
  return std::span(pieces_).subspan(b.first_piece, b.pieces);
}

std::optional<uint32_t> BatchGather::crc(size_t index) const {
  const Batch& batch = batches_.at(index);
  if (batch.bytes < kLargeBytes) return std::nullopt;
  std::byte prefix[wal::kBatchPrefixBytes];
  size_t got = 0;
  for (ByteSpan piece : pieces(index)) {
    size_t n = std::min(piece.size(), sizeof prefix - got);
    std::memcpy(prefix + got, piece.data(), n);
    if ((got += n) == sizeof prefix) break;
  }
  return crc32c_combine(crc32c(prefix), load_be<uint32_t>(prefix + sizeof prefix - 4), batch.bytes - sizeof prefix);
}

Result<void> BatchGather::get() {
  std::vector<Batch*> on_disk;
  for (Batch& b : batches_)
    if (!take_from_memory(b)) on_disk.push_back(&b);
  return read_back(std::move(on_disk));
}

/// What counts is whole chunks: between tiny synced appends there is a block of padding each, and an object of them could
/// hold back all of the pool.
bool BatchGather::take_from_memory(Batch& batch) {
  const wal::LogPosition body{batch.at.v + sizeof(wal::EntryHeader)};
  const auto first = static_cast<uint32_t>(pieces_.size());
  if (pins_.bytes() + batch.bytes <= segments_.pool().size_bytes() / kPinnedShare) {
    if (!segments_.pin(body, batch.bytes, pieces_, pins_)) return false;
    batch.first_piece = first, batch.pieces = static_cast<uint32_t>(pieces_.size()) - first;
    return true;
  }
  wal::PinSet pins(segments_.pool());
  std::vector<ByteSpan> pieces;
  if (!segments_.pin(body, batch.bytes, pieces, pins)) return false;
  if (pieces.size() == 1) return keep_copy(batch, pieces.front()), true;
  std::vector<std::byte> joined;
  for (ByteSpan p : pieces) joined.insert(joined.end(), p.begin(), p.end());
  keep_copy(batch, joined);
  return true;
}

Result<void> BatchGather::read_back(std::vector<Batch*> batches) {
  std::sort(batches.begin(), batches.end(), [](const Batch* a, const Batch* b) { return a->at < b->at; });
  for (size_t first = 0, end; first < batches.size(); first = end) {
    const Batch& start = *batches[first];
    for (end = first + 1; end < batches.size(); end++) {
      const Batch &last = *batches[end - 1], &next = *batches[end];
      if (next.at.segment() != start.at.segment() || next.at.byte() - last.entry_end() > kMostGapBytes) break;
      if (next.entry_end() - start.at.byte() > kRunBytes) break;
    }
    TRY(read_run(std::span(batches).subspan(first, end - first)));
  }
  return {};
}

Result<void> BatchGather::read_run(std::span<Batch* const> run) {
  const wal::LogPosition from = run.front()->at;
  TRY_ASSIGN(DirectBytes read, segments_.read(from, run.back()->entry_end() - from.byte()));
  bytes_read_ += read.bytes.size();
  size_t wanted = 0;
  for (const Batch* b : run) wanted += b->bytes;
  const bool keep = wanted >= read.bytes.size() / 2;  // else there is more between the batches than in them
  if (keep) read_.push_back(read.owner);
  for (Batch* b : run) {
    auto entry = wal::parse_entry(read.bytes, b->at.byte() - from.byte(), from.segment());
    if (!entry || entry->sequence != b->sequence)
      return fail(Errc::kCorrupt, "the log's copy of entry " + std::to_string(b->sequence) + " fails its checksum");
    ByteSpan bytes = read.bytes.subspan(b->at.byte() - from.byte() + sizeof(wal::EntryHeader), b->bytes);
    keep ? add_piece(*b, bytes) : keep_copy(*b, bytes);
  }
  return {};
}

void BatchGather::keep_copy(Batch& batch, ByteSpan bytes) {
  if (copies_.empty() || copy_left_ < bytes.size()) {
    const size_t size = std::max(kCopyBytes, bytes.size());
    copies_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
    copy_size_ = copy_left_ = size;
  }
  std::byte* at = copies_.back().get() + (copy_size_ - copy_left_);
  std::memcpy(at, bytes.data(), bytes.size());
  copy_left_ -= bytes.size();
  add_piece(batch, {at, bytes.size()});
}

void BatchGather::add_piece(Batch& batch, ByteSpan bytes) {
  batch.first_piece = static_cast<uint32_t>(pieces_.size()), batch.pieces = 1;
  pieces_.push_back(bytes);
}

}  // namespace topicfs
