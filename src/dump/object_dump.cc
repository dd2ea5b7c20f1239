// A packed object: its index, and with Detail::records all that is in its blocks.
#include "base/random.h"
#include "dump/dump.h"
#include "object/block_reader.h"

namespace topicfs::dump {
namespace {

Result<void> ended(Printer& out) {
  if (out.end()) return {};
  return fail(Errc::kClosed, "the output is closed");
}

Result<Footer> read_footer(Source& source) {
  if (source.size_bytes() < kTrailerBytes) return fail(Errc::kCorrupt, "it is too short for an object");
  TRY_ASSIGN(auto last, source.read(source.size_bytes() - kTrailerBytes, kTrailerBytes));
  TRY_ASSIGN(Trailer trailer, Trailer::parse(last, source.size_bytes()));
  TRY_ASSIGN(auto bytes, source.read(trailer.footer_position, trailer.footer_size));
  return Footer::parse(bytes, trailer);
}

Result<void> print_facts(const Footer& f, const Uuid& header_store, Printer& out) {
  out.begin("object");
  out.put("store", to_string(header_store));
  out.put("epoch", f.facts.epoch);
  out.put("sequence", f.facts.sequence);
  out.put("log_from_segment", static_cast<uint32_t>(f.facts.log_from >> 32));
  out.put("log_from_byte", static_cast<uint32_t>(f.facts.log_from));
  out.put("log_to_segment", static_cast<uint32_t>(f.facts.log_to >> 32));
  out.put("log_to_byte", static_cast<uint32_t>(f.facts.log_to));
  out.put("created", f.facts.created.count());
  out.put("bytes", f.object_size);
  out.put("footer_crc", f.crc);
  TRY(ended(out));
  for (const TopicName& t : f.topics) {
    out.begin("topic", 1);
    out.put("id", to_string(t.id));
    out.put("name", t.name);
    TRY(ended(out));
  }
  for (const PartitionName& p : f.partitions) {
    out.begin("partition", 1);
    out.put("partition", p.id.v);
    out.put("name", f.topics[p.topic].name + "/" + std::to_string(p.index));
    TRY(ended(out));
  }
  return {};
}

Result<void> print_block(const BlockEntry& b, Printer& out) {
  out.begin("block", 1);
  out.put("at", b.position);
  out.put("bytes", b.size);
  out.put("partition", b.partition.v);
  out.put("batches", b.batches);
  out.put("offset", b.base_offset.v);
  out.put("end_offset", b.end_offset.v);
  out.put("text_position", b.text_position.v);
  out.put("text_bytes", b.text_length);
  out.put("first_timestamp", b.first_timestamp);
  out.put("max_timestamp", b.max_timestamp);
  out.put("crc", b.crc);
  return ended(out);
}

Result<void> print_batches(Source& source, const BlockEntry& entry, Printer& out) {
  TRY_ASSIGN(auto bytes, source.read(entry.position, entry.size));
  TRY_ASSIGN(BlockReader block, BlockReader::open(entry, bytes));
  for (size_t i = 0; i < block.size(); i++) {
    BatchView b = block[i];
    out.begin("batch", 2);
    out.put("offset", b.base_offset.v);
    out.put("end_offset", b.end_offset.v);
    out.put("text_position", b.text_position.v);
    out.put("text_bytes", b.text_length);
    out.put("bytes", static_cast<uint64_t>(b.bytes.size()));
    put_batch_header(b.bytes, out);
    TRY(ended(out));
    TRY(dump_records(b.bytes, 3, out));
  }
  return {};
}

}  // namespace

Result<void> dump_object(Source& source, Detail detail, Printer& out) {
  TRY_ASSIGN(Footer footer, read_footer(source));
  TRY_ASSIGN(auto head, source.read(0, kObjectHeaderBytes));
  TRY_ASSIGN(Uuid store, parse_object_header(head));
  TRY(print_facts(footer, store, out));
  Result<void> outcome;
  for (const BlockEntry& b : footer.blocks) {
    TRY(print_block(b, out));
    bool control = b.partition == kControlPartition;
    if (detail != Detail::records && !control) continue;
    auto printed = print_batches(source, b, out);
    if (!printed && printed.error().code != Errc::kCorrupt) return printed;
    if (!printed) outcome = std::move(printed);  // the other blocks may be whole
  }
  return outcome;
}

}  // namespace topicfs::dump
