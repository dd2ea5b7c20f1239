#include "support/partition_model.h"

#include <fmt/core.h>

#include <algorithm>

#include "record/records.h"

namespace topicfs::sim {

/// A batch that came back, parsed as far as its header.
struct BatchOnWire {
  BatchHeader header;
  ByteSpan bytes;
};

ModelAppend* PartitionModel::find(uint64_t order) {
  auto it = std::lower_bound(appends_.begin(), appends_.end(), order,
                             [](const ModelAppend& a, uint64_t o) { return a.order < o; });
  return it != appends_.end() && it->order == order ? &*it : nullptr;
}

void PartitionModel::remove(uint64_t order) {
  std::erase_if(appends_, [order](const ModelAppend& a) { return a.order == order; });
}

Offset PartitionModel::end() const {
  Offset o;
  for (const ModelAppend& a : appends_) o += a.records();
  return o;
}

TextPosition PartitionModel::text_end() const {
  TextPosition t;
  for (const ModelAppend& a : appends_) t += static_cast<int64_t>(a.text.size());
  return t;
}

Offset PartitionModel::placed_end() const {
  Offset o, placed;
  for (const ModelAppend& a : appends_) {
    o += a.records();
    if (a.placed) placed = o;
  }
  return placed;
}

/// The append that holds `offset`, or the end.
PartitionModel::Cursor PartitionModel::at(Offset offset) const {
  Cursor c{0, {}, {}};
  while (c.append < appends_.size() && c.base + appends_[c.append].records() <= offset) {
    c.base += appends_[c.append].records();
    c.text += static_cast<int64_t>(appends_[c.append].text.size());
    c.append++;
  }
  return c;
}

bool PartitionModel::text_at(Offset offset, TextPosition& text) const {
  Cursor c = at(offset);
  if (c.base == offset) return text = c.text, true;
  if (c.append == appends_.size()) return false;
  const auto& ends = appends_[c.append].line_ends;
  text = c.text + ends[static_cast<size_t>(offset - c.base) - 1];
  return true;
}

Verdict PartitionModel::check_answer(uint64_t order, const Appended& value) {
  Offset offset;
  TextPosition text;
  for (ModelAppend& a : appends_) {
    text += static_cast<int64_t>(a.text.size());
    if (a.order != order) {
      offset += a.records();
      continue;
    }
    if (value.base_offset != offset)
      return fmt::format("append {} to partition {} got offset {}, but in the order of the calls it has {}", order, id.v,
                         value.base_offset.v, offset.v);
    if (value.text_end != text)
      return fmt::format("append {} to partition {} ends at text position {}, not {}", order, id.v, value.text_end.v, text.v);
    a.placed = true;
    return {};
  }
  return fmt::format("append {} to partition {} was answered twice, or after its refusal", order, id.v);
}

Verdict PartitionModel::check_repeated(uint64_t order, const Appended& value) {
  Offset offset;
  for (const ModelAppend& a : appends_) {
    if (a.order == order && offset == value.base_offset) return {};
    if (a.order == order)
      return fmt::format("append {} to partition {} came again and got offset {}; it has {}", order, id.v,
                         value.base_offset.v, offset.v);
    offset += a.records();
  }
  return fmt::format("append {} to partition {} came again and was answered, but it is not there", order, id.v);
}

Verdict PartitionModel::check_ends(const PartitionEnds& ends) {
  if (ends.log_start > ends.durable_end || ends.durable_end > ends.visible_end)
    return fmt::format("partition {}: log start {}, durable end {}, visible end {}", id.v, ends.log_start.v,
                       ends.durable_end.v, ends.visible_end.v);
  if (ends.durable_end < durable_seen)
    return fmt::format("partition {}: the durable end went back from {} to {}", id.v, durable_seen.v, ends.durable_end.v);
  durable_seen = ends.durable_end;
  if (ends.visible_end > end())
    return fmt::format("partition {}: the visible end {} is beyond all appends, {}", id.v, ends.visible_end.v, end().v);
  TextPosition text;
  if (!text_at(ends.visible_end, text) || text != ends.text_end)
    return fmt::format("partition {}: offset {} has text position {}, not {}", id.v, ends.visible_end.v, ends.text_end.v,
                       text.v);
  return {};
}

Verdict PartitionModel::check_text(TextPosition from, std::string_view bytes) {
  TextPosition at;
  for (const ModelAppend& a : appends_) {
    if (bytes.empty()) return {};
    auto skip = static_cast<uint64_t>(std::max<int64_t>(0, from - at));
    at += static_cast<int64_t>(a.text.size());
    if (skip >= a.text.size()) continue;
    std::string_view expected = std::string_view(a.text).substr(skip, bytes.size());
    if (bytes.substr(0, expected.size()) != expected)
      return fmt::format("partition {}: the text at {} is not that of append {}: '{}' instead of '{}'", id.v, from.v,
                         a.order, bytes.substr(0, std::min<size_t>(40, expected.size())), expected.substr(0, 40));
    bytes.remove_prefix(expected.size());
    from += static_cast<int64_t>(expected.size());
  }
  if (!bytes.empty()) return fmt::format("partition {}: there is text behind the last append, at {}", id.v, from.v);
  return {};
}

Verdict PartitionModel::check_batches(Offset from, ByteSpan bytes, Offset& end) {
  end = from;
  while (!bytes.empty()) {
    auto header = BatchHeader::parse(bytes);
    if (!header || header->size_bytes() > bytes.size())
      return fmt::format("partition {}: what is at offset {} is no batch", id.v, end.v);
    BatchOnWire batch{*header, bytes.first(header->size_bytes())};
    if (!has_valid_crc(*header, {&batch.bytes, 1}))
      return fmt::format("partition {}: the batch at {} fails its CRC", id.v, header->base_offset.v);
    bool first = end == from;
    if (first ? header->base_offset > from || header->next_offset() <= from : header->base_offset != end)
      return fmt::format("partition {}: the batch {}..{} came where {} was expected", id.v, header->base_offset.v,
                         header->next_offset().v, end.v);
    Cursor c = at(header->base_offset);
    if (Verdict v = check_batch(c, batch); !v.empty()) return v;
    end = header->next_offset();
    bytes = bytes.subspan(batch.bytes.size());
  }
  return {};
}

/// Record by record; a producer's batch also byte by byte, but for what the broker may write into its header.
Verdict PartitionModel::check_batch(Cursor& c, const BatchOnWire& batch) {
  if (c.append == appends_.size()) return fmt::format("partition {}: a batch behind the last append", id.v);
  const ModelAppend& first = appends_[c.append];
  if (!first.batch.empty()) {
    if (c.base != batch.header.base_offset || batch.bytes.size() != first.batch.size() ||
        as_text(batch.bytes.subspan(kBatchHeaderBytes)) != std::string_view(first.batch).substr(kBatchHeaderBytes))
      return fmt::format("partition {}: the batch at {} is not the one that was sent as append {}", id.v,
                         batch.header.base_offset.v, first.order);
  }
  auto view = RecordsView::of_batch(batch.header, {&batch.bytes, 1});
  if (!view) return view.error().message();
  RecordReader reader(*view);
  size_t index = static_cast<size_t>(batch.header.base_offset - c.base);
  for (int32_t i = 0; i < view->record_count; i++, index++) {
    while (c.append < appends_.size() && index >= appends_[c.append].line_ends.size()) {
      c.base += appends_[c.append].records();
      c.append++, index = 0;
    }
    if (c.append == appends_.size()) return fmt::format("partition {}: a record behind the last append", id.v);
    const ModelAppend& a = appends_[c.append];
    Record record;
    std::string value;
    if (!reader.begin(record) || !reader.read_value([&](ByteSpan part) { value += as_text(part); }) || !reader.end(record))
      return fmt::format("partition {}: {}", id.v, reader.error().message());
    if (!record.is_partial) value += '\n';
    uint32_t begin = index == 0 ? 0 : a.line_ends[index - 1];
    if (record.offset_delta != i || value != std::string_view(a.text).substr(begin, a.line_ends[index] - begin))
      return fmt::format("partition {}: the record at offset {} is not that of append {}", id.v,
                         batch.header.base_offset.v + i, a.order);
  }
  return {};
}

Verdict PartitionModel::cut_at(const PartitionEnds& ends, bool lost, Cut& cut) {
  if (ends.durable_end != ends.visible_end)
    return fmt::format("partition {}: after recovery the durable end is {}, the visible {}", id.v, ends.durable_end.v,
                       ends.visible_end.v);
  Offset offset;
  TextPosition text;
  size_t kept = 0;
  while (kept < appends_.size() && offset < ends.visible_end) {
    ModelAppend& a = appends_[kept];
    if (lost && ends.visible_end == ends.log_start && offset + a.records() > ends.log_start) break;
    offset += a.records();
    text += static_cast<int64_t>(a.text.size());
    if (!lost || offset > ends.log_start) cut.last_kept = a.order;
    kept++;
  }
  auto first_lost = std::find_if(appends_.begin() + static_cast<ptrdiff_t>(kept), appends_.end(), [](const ModelAppend& a) { return a.placed; });
  if (first_lost != appends_.end()) cut.first_lost = first_lost->order;
  if (offset < ends.visible_end && kept < appends_.size()) {  // what is deleted of an append of which the rest is lost
    ModelAppend& a = appends_[kept++];
    a.line_ends.resize(static_cast<size_t>(ends.visible_end - offset));
    a.text.resize(a.line_ends.back());
    offset += a.records();
    text += static_cast<int64_t>(a.text.size());
  }
  if (offset != ends.visible_end || text != ends.text_end)
    return fmt::format("partition {}: after recovery it ends at offset {}, position {}; the append that this cuts ends at "
                       "{}, {}", id.v, ends.visible_end.v, ends.text_end.v, offset.v, text.v);
  cut.lost_from = offset;
  appends_.resize(kept);
  for (ModelAppend& a : appends_) a.placed = true;
  return {};
}

uint64_t PartitionModel::first_beyond(Offset end) const {
  Offset offset;
  for (const ModelAppend& a : appends_) {
    offset += a.records();
    if (a.placed && offset > end) return a.order;
  }
  return UINT64_MAX;
}

// ---- the log start

Verdict PartitionModel::check_start(const PartitionEnds& ends, std::span<const ModelLimits> limits, int64_t now) {
  TextPosition text;
  if (ends.log_start < start_)
    return fmt::format("partition {}: the log start went back from {} to {}", id.v, start_.v, ends.log_start.v);
  if (!text_at(ends.log_start, text) || text != ends.text_start)
    return fmt::format("partition {}: the log starts at offset {}, which has text position {}, not {}", id.v,
                       ends.log_start.v, text.v, ends.text_start.v);
  if (ends.log_start == start_) return {};
  if (!is_explained(ends.log_start, limits, now)) {
    std::string what = fmt::format("partition {}: the log start moved from {} to {} at {}, and nobody asked for it; limits",
                                   id.v, start_.v, ends.log_start.v, now);
    for (const ModelLimits& l : limits) what += fmt::format(" {} ms {} bytes,", l.milliseconds, l.bytes);
    Cursor last = at(ends.log_start - 1);
    return what + fmt::format(" the last record is of {}", appends_[last.append].time_of(static_cast<size_t>(ends.log_start - last.base - 1)));
  }
  start_ = ends.log_start;
  starts_.insert(start_);
  return {};
}

Verdict PartitionModel::accept_start(const PartitionEnds& ends, bool lost, Offset least, std::span<const ModelLimits> limits,
                                     int64_t now) {
  Offset found = ends.log_start, before = start_;
  bool known = found == start_ || is_explained(found, limits, now) || (lost && (found == Offset(0) || starts_.contains(found)));
  if (found < (lost ? least : start_) || !known)
    return fmt::format("partition {}: after a restart its log starts at {}; it was {}, {} of that in the store", id.v, found.v,
                       before.v, stored_start_.v);
  starts_.insert(start_);
  starts_.insert(found);
  start_ = found;
  asked_.clear();
  return check_start(ends, limits, now);
}

bool PartitionModel::is_explained(Offset start, std::span<const ModelLimits> limits, int64_t now) const {
  return asked_.contains(start) ||
         std::any_of(limits.begin(), limits.end(), [&](const ModelLimits& l) { return is_outlived(start, l, now); });
}

/// Whether `limits` let the log start move to `start`: each unit before it is too old, or what is left behind it is too
/// much. Units are batches, or more.
bool PartitionModel::is_outlived(Offset start, const ModelLimits& limits, int64_t now) const {
  Offset base;
  bool all_too_old = limits.milliseconds >= 0;
  int64_t behind = 0;  // bytes from the newest append before `start` on that is too young
  for (const ModelAppend& a : appends_) {
    if (base < start && base + a.records() > start && !a.batch.empty()) return false;
    for (size_t i = 0; i < a.line_ends.size(); i++) {
      Offset offset = base + static_cast<int64_t>(i);
      int64_t time = a.time_of(i);
      bool too_old = limits.milliseconds >= 0 && (time == ModelAppend::kUnknownTime || now - time > limits.milliseconds);
      if (offset < start_ || offset >= start || too_old) continue;
      all_too_old = false;
      behind = 0;
      break;
    }
    behind += a.stored_bytes_max();
    base += a.records();
  }
  return all_too_old || (limits.bytes >= 0 && behind >= limits.bytes);
}

// ---- timestamps

int64_t PartitionModel::some_time(uint64_t n) const {
  if (appends_.empty()) return ModelAppend::kUnknownTime;
  const ModelAppend& a = appends_[n % appends_.size()];
  return a.time_of(n % a.line_ends.size());
}

Verdict PartitionModel::check_timestamp(int64_t timestamp, const TimestampedOffset& found, const PartitionEnds& ends,
                                        Offset durable_then) const {
  const bool latest = timestamp == Engine::kMaxTimestamp, none = found.offset.v < 0;
  auto wrong = [&](const std::string& why) {
    return fmt::format("partition {}: the search for timestamp {} found offset {} of {}: {}", id.v, timestamp, found.offset.v,
                       found.timestamp, why);
  };
  if (!none && found.offset >= ends.durable_end) return wrong("it is not durable");
  if (!none && !latest && found.timestamp < timestamp) return wrong("it is older");
  Offset offset;
  for (const ModelAppend& a : appends_) {
    for (size_t i = 0; i < a.line_ends.size(); i++, offset += 1) {
      int64_t time = a.time_of(i);
      if (time == ModelAppend::kUnknownTime || offset < ends.log_start) continue;
      if (offset == found.offset && time != found.timestamp) return wrong(fmt::format("its timestamp is {}", time));
      bool fits = latest ? none || time > found.timestamp || (time == found.timestamp && offset < found.offset)
                         : time >= timestamp && (none || offset < found.offset);
      if (fits && offset < durable_then) return wrong(fmt::format("offset {} has {}", offset.v, time));
    }
  }
  return {};
}

}  // namespace topicfs::sim
