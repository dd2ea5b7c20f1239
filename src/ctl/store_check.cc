#include "ctl/store_check.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/random.h"
#include "ctl/batch_check.h"
#include "ctl/store_calls.h"
#include "metadata/store_keys.h"
#include "object/block_reader.h"

namespace topicfs::ctl {
namespace {

constexpr uint64_t kRunBytes = 8 << 20;  // of neighbouring blocks that are read at once

/// Damage to what is stored, as opposed to a store that does not answer.
bool is_damage(const Error& e) {
  return e.code == Errc::kCorrupt || e.code == Errc::kNotFound || e.code == Errc::kUnsupported || e.code == Errc::kTooLarge;
}

}  // namespace

Result<Uuid> StoreCheck::identity() {
  auto got = get_tail(store_, kIdentityKey, 256);
  if (!got && got.error().code == Errc::kNotFound)
    return fail(Errc::kNotFound, store_.url() + " is not the store of a topicfs: it has no object \"store\"");
  if (!got) return tl::unexpected<Error>(std::move(got).error());
  std::string text(as_text(got->bytes));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  Uuid id;
  if (!parse_uuid(text, id)) return fail(Errc::kCorrupt, store_.url() + "/store does not hold a store's id");
  return id;
}

Result<std::optional<Checkpoint>> StoreCheck::newest_checkpoint(const Uuid& id) {
  TRY_ASSIGN(auto listed, list(store_, kCheckpointPrefix));
  if (listed.empty()) return std::optional<Checkpoint>();
  const ListedObject& newest = listed.back();
  auto damaged = [&](const std::string& why) {
    report_.damaged(newest.key + ": " + why + "; a recovery from the store alone would stop here");
    return std::optional<Checkpoint>();
  };
  if (!parse_checkpoint_key(newest.key)) return damaged("this is not a checkpoint's name");
  if (newest.size == 0 || newest.size > kMaxCheckpointBytes) return damaged("no checkpoint has its size");
  std::vector<std::byte> bytes;
  while (bytes.size() < newest.size) {
    auto got = get(store_, newest.key, {bytes.size(), std::min<uint64_t>(newest.size - bytes.size(), kRunBytes)});
    if (!got && is_damage(got.error())) return damaged(got.error().what);
    if (!got) return tl::unexpected<Error>(std::move(got).error());
    bytes.insert(bytes.end(), got->bytes.begin(), got->bytes.end());
  }
  auto checkpoint = decode_checkpoint(bytes);
  if (!checkpoint) return damaged(checkpoint.error().what);
  if (checkpoint->store != id) return damaged("it is another store's");
  return std::optional<Checkpoint>(std::move(*checkpoint));
}

Result<void> StoreCheck::adopt_newer(KnownCatalog& catalog, const Checkpoint& checkpoint) {
  TRY_ASSIGN(auto listed, list(store_, kObjectPrefix));
  EpochAndSequence last{checkpoint.epoch, checkpoint.sequence};
  for (const ListedObject& o : listed) {
    auto name = parse_key(o.key, kObjectPrefix);
    if (name && *name <= last) continue;
    if (!name || name->epoch != last.epoch || name->sequence != last.sequence + 1) {
      report_.damaged(o.key + " does not follow the newest checkpoint: something is missing, and a recovery from the "
                              "store alone would stop here");
      return {};
    }
    auto footer = read_footer(o.key);
    if (!footer && !is_damage(footer.error())) return tl::unexpected<Error>(footer.error());
    if (!footer) return report_.damaged(o.key + ": " + footer.error().what), Result<void>();
    catalog.add({o.key, name->epoch, name->sequence, {footer->facts.log_from}, {footer->facts.log_to}, o.size, footer->crc});
    TRY(replay_control(o.key, *footer, catalog));
    last = *name;
  }
  return {};
}

/// Damage in them is found, and reported, when the whole object is checked.
Result<void> StoreCheck::replay_control(const std::string& key, const Footer& footer, KnownCatalog& catalog) {
  for (const BlockEntry& entry : footer.blocks_of(kControlPartition)) {
    auto bytes = get(store_, key, {entry.position, entry.size});
    if (!bytes && !is_damage(bytes.error())) return tl::unexpected<Error>(bytes.error());
    auto block = bytes ? BlockReader::open(entry, bytes->bytes) : fail(Errc::kCorrupt, "");
    for (size_t i = 0; block && i < block->size(); i++) {
      auto records = control_records_of((*block)[i].bytes);
      for (size_t n = 0; records && n < records->size(); n++) catalog.replay((*records)[n]);
    }
  }
  return {};
}

Result<void> StoreCheck::check(KnownCatalog& catalog, const std::map<PartitionId, Offset>& ends) {
  TRY_ASSIGN(auto listed, list(store_, kObjectPrefix));
  std::map<std::string, uint64_t> sizes;
  uint64_t total = 0;
  for (ListedObject& o : listed) sizes[o.key] = o.size;
  for (const auto& [key, o] : catalog.objects())
    if (auto it = sizes.find(key); it != sizes.end()) total += it->second;
  check_extents(catalog);
  report_.begin("objects", total);
  for (const auto& [key, o] : catalog.objects()) {
    auto it = sizes.find(key);
    if (it == sizes.end()) {
      report_.damaged(fmt::format("{} is missing from {}: {} bytes", key, store_.url(), o.object.size_bytes));
      continue;
    }
    if (auto r = check_object(o, it->second, catalog); !r) return report_.end(), r;
    objects_++;
    bytes_ += it->second;
    sizes.erase(it);
  }
  report_.end();
  for (const Gap& gap : gaps_)
    if (!catalog.is_deleted_below(gap.partition, gap.end)) report_.damaged(gap.what);
  for (const auto& [key, size] : sizes)
    report_.say(fmt::format("{} ({} bytes) is in no catalog: nothing in it lives and it waits to be deleted, or the record "
                            "of its upload was lost; no reader sees it", key, size));
  for (const auto& [id, p] : catalog.partitions())
    if (auto end = ends.find(id); end != ends.end() && p.stored_end > end->second)
      report_.damaged(fmt::format("{}: objects hold it up to offset {}, but it ends at {}", p.name, p.stored_end.v, end->second.v));
  return {};
}

// ---- one object

Result<void> StoreCheck::check_object(const KnownCatalog::Object& o, uint64_t size, KnownCatalog& catalog) {
  const std::string& key = o.object.key;
  if (size != o.object.size_bytes) {
    report_.damaged(fmt::format("{} has {} bytes, the catalog says {}", key, size, o.object.size_bytes));
    report_.advance(size);
    return {};
  }
  auto footer = read_footer(key);
  if (!footer && !is_damage(footer.error())) return tl::unexpected<Error>(footer.error());
  if (!footer) {
    report_.damaged(key + ": " + footer.error().what);
    report_.advance(size);
    return {};
  }
  check_facts(o.object, *footer);
  if (o.index) compare_extents(*o.index, *footer, catalog, key);
  else extend(*footer, catalog, key);
  return check_blocks(key, *footer, catalog);
}

Result<Footer> StoreCheck::read_footer(const std::string& key) {
  TRY_ASSIGN(ObjectBytes tail, get_tail(store_, key, kTailBytes));
  if (tail.bytes.size() < kTrailerBytes) return fail(Errc::kCorrupt, "it is too short for an object");
  TRY_ASSIGN(Trailer trailer, Trailer::parse(tail.bytes.last(kTrailerBytes), tail.object_size));
  size_t behind = kTrailerBytes + trailer.footer_size;
  if (behind <= tail.bytes.size())
    return Footer::parse(tail.bytes.last(behind).first(trailer.footer_size), trailer);
  TRY_ASSIGN(ObjectBytes whole, get(store_, key, {trailer.footer_position, trailer.footer_size}));
  return Footer::parse(whole.bytes, trailer);
}

void StoreCheck::check_facts(const StoredObject& o, const Footer& footer) {
  const ObjectFacts& f = footer.facts;
  if (footer.crc != o.footer_crc) report_.damaged(o.key + " is not the object that was put there: its footer differs");
  if (f.epoch != o.epoch || f.sequence != o.sequence) report_.damaged(o.key + " says that it is another object");
  if (f.log_from != o.from.v || f.log_to != o.to.v) report_.damaged(o.key + " covers another part of the log than the catalog says");
}

Result<void> StoreCheck::check_blocks(const std::string& key, const Footer& footer, const KnownCatalog& catalog) {
  TRY_ASSIGN(ObjectBytes head, get(store_, key, {0, kObjectHeaderBytes}));
  auto owner = parse_object_header(head.bytes);
  if (!owner) report_.damaged(key + ": " + owner.error().what);
  else if (*owner != footer.facts.store) report_.damaged(key + ": its header names another store than its footer");
  report_.advance(footer.object_size - (footer.blocks.empty() ? 0 : footer.blocks.back().position + footer.blocks.back().size));
  for (size_t first = 0; first < footer.blocks.size();) {
    uint64_t start = footer.blocks[first].position, end = start;
    size_t last = first;
    do end = footer.blocks[last].position + footer.blocks[last].size, last++;
    while (last < footer.blocks.size() && end + footer.blocks[last].size - start <= kRunBytes);
    auto run = get(store_, key, {start, end - start});
    if (!run && !is_damage(run.error())) return tl::unexpected<Error>(run.error());
    if (!run) report_.damaged(key + ": " + run.error().what);
    for (size_t i = first; run && i < last; i++)
      check_block(key, footer.blocks[i], run->bytes.subspan(footer.blocks[i].position - start, footer.blocks[i].size), catalog);
    report_.advance(end - start);
    first = last;
  }
  return {};
}

void StoreCheck::check_block(const std::string& key, const BlockEntry& entry, ByteSpan bytes, const KnownCatalog& catalog) {
  auto block = BlockReader::open(entry, bytes);
  if (!block) return report_.damaged(fmt::format("{}: {}: {}", key, catalog.name_of(entry.partition), block.error().what));
  Offset end = entry.base_offset;
  TextPosition text = entry.text_position;
  for (size_t i = 0; i < block->size(); i++) {
    BatchView b = (*block)[i];
    auto place = [&] { return fmt::format("{}: {} offset {}", key, catalog.name_of(entry.partition), b.base_offset.v); };
    if (auto r = check_batch(b.bytes, {b.base_offset, b.end_offset, b.text_length}); !r)
      report_.damaged(place() + ": " + r.error().what);
    if (b.base_offset != end || b.text_position != text)
      gaps_.push_back({entry.partition, b.base_offset,
                       fmt::format("{}: does not go on where the batch before ended, at offset {} and text {}", place(),
                                   end.v, text.v)});
    end = b.end_offset, text = b.text_end();
  }
}

// ---- how objects make partitions

/// A checkpoint's extents lie one behind the other, from the log start to the partition's end.
void StoreCheck::check_extents(const KnownCatalog& catalog) {
  for (const auto& [id, p] : catalog.partitions()) {
    if (p.extents.empty()) continue;
    for (const Extent& e : p.extents) claims_[e.object].push_back({id, e});
    if (p.extents.front().base > p.log_start)
      gaps_.push_back({id, p.extents.front().base, fmt::format("{}: its log starts at {}, but the first object has {}", p.name,
                                                               p.log_start.v, p.extents.front().base.v)});
    for (size_t i = 1; i < p.extents.size(); i++) {
      const Extent &before = p.extents[i - 1], &e = p.extents[i];
      if (e.base != before.end || e.text != before.text_end)
        gaps_.push_back({id, e.base, fmt::format("{}: the checkpoint has nothing between offsets {} and {}", p.name,
                                                 before.end.v, e.base.v)});
    }
    if (p.extents.back().end != p.stored_end || p.extents.back().text_end != p.stored_text)
      report_.damaged(fmt::format("{}: its objects end at offset {}, the checkpoint says {}", p.name,
                                  p.extents.back().end.v, p.stored_end.v));
  }
}

/// What a checkpoint says of an object's partitions, and what the object says.
void StoreCheck::compare_extents(uint32_t index, const Footer& footer, const KnownCatalog& catalog, const std::string& key) {
  for (const auto& [id, e] : claims_[index]) {
    auto blocks = footer.blocks_of(id);
    bool fits = !blocks.empty() && blocks.front().base_offset <= e.base && blocks.back().end_offset >= e.end;
    if (!fits)
      report_.damaged(fmt::format("{} does not hold offsets {} to {} of {}", key, e.base.v, e.end.v - 1, catalog.name_of(id)));
  }
}

/// An object behind the checkpoint continues its partitions exactly, but for what was deleted and need not be stored.
void StoreCheck::extend(const Footer& footer, KnownCatalog& catalog, const std::string& key) {
  for (const PartitionName& name : footer.partitions) {
    KnownCatalog::Known* p = catalog.find(name.id);
    auto blocks = footer.blocks_of(name.id);
    if (!p || blocks.empty()) continue;  // deleted since
    if (blocks.front().base_offset != p->stored_end || blocks.front().text_position != p->stored_text)
      gaps_.push_back({name.id, blocks.front().base_offset,
                       fmt::format("{} begins {} at offset {}, where {} should be: something between is missing", key,
                                   p->name, blocks.front().base_offset.v, p->stored_end.v)});
    for (size_t i = 1; i < blocks.size(); i++)
      if (blocks[i].base_offset != blocks[i - 1].end_offset || blocks[i].text_position != blocks[i - 1].text_end())
        gaps_.push_back({name.id, blocks[i].base_offset,
                         fmt::format("{}: {} has a gap before offset {}", key, p->name, blocks[i].base_offset.v)});
    p->stored_end = blocks.back().end_offset, p->stored_text = blocks.back().text_end();
  }
}

}  // namespace topicfs::ctl
