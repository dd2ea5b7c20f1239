// What clients do with data: writers through both doors, readers through both doors.
#include <fmt/core.h>

#include <algorithm>

#include "record/validate.h"
#include "sim/simulation.h"
#include "support/batches.h"

namespace topicfs::sim {
namespace {

/// Text of about `size` bytes in lines, the last of which may be unfinished; some binary.
std::string random_text(SeededRandom& r, size_t size, uint64_t order) {
  std::string text = fmt::format("<{}>", order);
  size_t line = r.between(1, 400);
  while (text.size() < size) {
    if (r.below(line) == 0) text += '\n';
    else text.append(std::min<size_t>(line, size - text.size()), static_cast<char>(r.percent(2) ? r.below(256) : 'a' + r.below(26)));
  }
  if (r.percent(80)) text += '\n';
  return text;
}

/// The clock was set back since the batch was made.
bool is_too_new(const Error& error) {
  return error.what.starts_with(name_of(BatchFault::invalid_timestamp));
}

void cut_into_lines(ModelAppend& a) {
  for (size_t i = 0; i < a.text.size(); i++)
    if (a.text[i] == '\n') a.line_ends.push_back(static_cast<uint32_t>(i + 1));
  if (a.line_ends.empty() || a.line_ends.back() != a.text.size()) a.line_ends.push_back(static_cast<uint32_t>(a.text.size()));
}

size_t random_size(SeededRandom& r) {
  if (r.percent(80)) return r.between(1, 200);
  if (r.percent(70)) return r.between(200, 20'000);
  return r.percent(70) ? r.between(16'000, 80'000) : r.between(80'000, 700'000);
}

}  // namespace

PartitionModel* Simulation::find(PartitionId id) {
  for (Topic& t : topics_)
    for (PartitionModel& p : t.partitions)
      if (p.id == id) return &p;
  return nullptr;
}

PartitionModel* Simulation::pick(SeededRandom& r) {
  if (!machine_->is_up()) return nullptr;
  size_t first = r.below(topics_.size());
  for (size_t i = 0; i < topics_.size(); i++) {
    Topic& t = topics_[(first + i) % topics_.size()];
    if (t.is_there() && !t.partitions.empty()) return &t.partitions[r.below(t.partitions.size())];
  }
  return nullptr;
}

// ---- writers

void Simulation::append_text(SeededRandom& r) {
  PartitionModel* p = pick(r);
  if (!p) return;
  ModelAppend a;
  a.order = next_order_++;
  a.text = random_text(r, random_size(r), a.order);
  cut_into_lines(a);
  std::string text = a.text;
  append(*p, std::move(a), as_byte_span(text), r);
}

ModelAppend Simulation::random_batch(SeededRandom& r, uint64_t order, const Producer* producer) {
  ModelAppend a;
  a.order = order;
  std::vector<testing::TestRecord> records;
  size_t size = random_size(r), count = r.between(1, 20);
  for (size_t i = 0; i < count; i++) {
    testing::TestRecord record;
    if (!r.percent(10)) record.value = random_text(r, r.below(2 * size / count + 1), order);
    if (r.coin()) record.key = fmt::format("key {}", r.below(10));
    if (r.percent(10)) record.headers.push_back({"header", "value"});
    a.text += record.value.value_or("") + "\n";
    a.line_ends.push_back(static_cast<uint32_t>(a.text.size()));
    records.push_back(std::move(record));
  }
  BatchHeader header;
  header.attributes = static_cast<int16_t>(r.below(5));
  // As a producer's clock has it, which may be slow.
  header.base_timestamp = a.time = machine_->executor().wall_now().count() - static_cast<int64_t>(order % 7) * 1'200'000;
  a.time_step = order % 3 ? 1000 : -1000;
  for (size_t i = 0; i < records.size(); i++) records[i].timestamp_delta = a.time_step * static_cast<int64_t>(i);
  if (producer) header.producer_id = producer->id, header.producer_epoch = 0, header.base_sequence = producer->next_sequence;
  a.batch = testing::encode_batch(header, records);
  return a;
}

/// The time that its records get from the engine, if they get one when it is called.
void Simulation::stamp(PartitionId id, ModelAppend& a) {
  auto place = machine_->engine().find_partition(id);
  if (!place) return;
  auto type = place->topic->settings.find("message.timestamp.type");
  if (!a.batch.empty() && (type == place->topic->settings.end() || type->second != "LogAppendTime")) return;
  a.time = machine_->executor().wall_now().count();
  a.time_step = 0;
}

void Simulation::append_batch(SeededRandom& r) {
  PartitionModel* p = pick(r);
  if (!p) return;
  ModelAppend a = random_batch(r, next_order_++, nullptr);
  std::string batch = a.batch;
  append(*p, std::move(a), as_byte_span(batch), r);
}

/// The next batch of the partition's producer, once the last one is answered; until then, and now and then afterwards,
/// that one again. If it is there already, it must not come twice.
void Simulation::append_idempotent(SeededRandom& r) {
  if (PartitionModel* p = pick(r)) send_idempotent(*p, r);
}

void Simulation::send_idempotent(PartitionModel& partition, SeededRandom& r) {
  PartitionModel* p = &partition;
  Producer& producer = producers_[p->id];
  // The engine forgets who was silent for a day.
  MonotonicTime now = machine_->executor().now();
  if (now < producer.used || now - producer.used > std::chrono::hours(12)) producer = {};
  producer.used = now;
  if (producer.id < 0) producer.id = next_producer_++;
  ModelAppend* last = producer.last.order ? p->find(producer.last.order) : nullptr;
  if (last && !last->placed) return;  // it waits for room: whether it comes is not known yet
  bool repeats = last && (!producer.answered || r.percent(40));
  if (!repeats && producer.answered) {
    producer.last = random_batch(r, 0, &producer);
    producer.next_sequence += static_cast<int32_t>(producer.last.records());
  }
  if (!repeats) {
    producer.answered = false;
    producer.last.order = next_order_++;
    p->add(producer.last);
    stamp(p->id, *p->find(producer.last.order));
  }
  uint64_t order = producer.last.order, life = machine_->life();
  PartitionId id = p->id;
  std::string batch = producer.last.batch;
  auto answered = std::make_shared<bool>(false);
  RequestId request = machine_->engine().append_batch(
      id, as_byte_span(batch), {Ack::durable, Wait::yes}, [this, id, order, life, answered, repeats](Result<Appended> result) {
        *answered = true;
        if (machine_->life() != life || !machine_->has_power()) return;
        if (repeats && result) {
          note(fmt::format("again {}: {}", order, result->base_offset.v));
          PartitionModel* q = find(id);
          if (q) check(q->check_repeated(order, *result));
          acknowledged(order);
        } else if (!repeats) {
          on_append(id, order, Ack::durable, result);
        } else if (is_too_new(result.error())) {
          producers_.erase(id);  // it will not get over this
        } else if (!is_in_doubt(result.error()) && result.error().code != Errc::kTimedOut && result.error().code != Errc::kFull &&
                   result.error().code != Errc::kNotFound && result.error().code != Errc::kCancelled) {
          fail(fmt::format("append {} came again: {}", order, result.error().message()));
        }
        auto found = producers_.find(id);
        if (result && found != producers_.end() && found->second.last.order == order) found->second.answered = true;
      });
  note(fmt::format("append {} to {} of producer {}{}", order, id.v, producer.id, repeats ? " again" : ""));
  if (repeats) return;
  if (request) waiting_.emplace_back(order, request);
  else if (ModelAppend* added = p->find(order); added && !*answered) added->placed = true;
  if (request || *answered || !r.percent(30)) return;
  send_idempotent(*p, r);  // while the first is on its way
  if (r.percent(20)) drive(r.below(3)), over_ || !outcome_.failure.empty() ? void() : end(End::power_cut);
}

void Simulation::burst(SeededRandom& r) {
  PartitionModel* p = pick(r);
  for (size_t i = r.between(5, 30); p && i > 0; i--) {
    ModelAppend a;
    a.order = next_order_++;
    a.text = random_text(r, r.percent(60) ? r.between(1, 300) : r.between(20'000, 200'000), a.order);
    cut_into_lines(a);
    std::string text = a.text;
    append(*p, std::move(a), as_byte_span(text), r);
  }
}

void Simulation::append(PartitionModel& p, ModelAppend a, ByteSpan bytes, SeededRandom& r) {
  AppendOptions options{r.percent(60) ? Ack::durable : Ack::buffered, r.percent(90) ? Wait::yes : Wait::no};
  uint64_t order = a.order, life = machine_->life();
  bool is_batch = !a.batch.empty(), unfinished = a.text.back() != '\n';
  PartitionId id = p.id;
  stamp(id, a);
  p.add(std::move(a));
  auto answered = std::make_shared<bool>(false);
  auto done = [this, id, order, life, answered, ack = options.ack](Result<Appended> result) {
    *answered = true;
    if (machine_->life() == life && machine_->has_power()) on_append(id, order, ack, std::move(result));
  };
  RequestId request = 0;
  if (is_batch) {
    request = machine_->engine().append_batch(id, bytes, options, done);
  } else {
    size_t cut = r.below(bytes.size() + 1);
    ByteSpan pieces[] = {bytes.first(cut), bytes.subspan(cut)};
    request = machine_->engine().append_text(id, pieces, unfinished ? LastLine::unfinished : LastLine::complete, options, done);
  }
  note(fmt::format("append {} to {}{}{}", order, id.v, is_batch ? " batch" : "", options.ack == Ack::durable ? " durable" : ""));
  if (request) waiting_.emplace_back(order, request);
  else if (!*answered) p.find(order)->placed = true;
  // A text that waits gets its time now or when there is room for it.
  if (request && !is_batch && !*answered) p.find(order)->time = ModelAppend::kUnknownTime;
}

void Simulation::on_append(PartitionId id, uint64_t order, Ack ack, Result<Appended> result) {
  PartitionModel* p = find(id);
  if (!p) return;  // its topic is gone
  note(fmt::format("answer {} {}", order, result ? result->base_offset.v : -1));
  if (result) {
    check(p->check_answer(order, *result));
    if (ack == Ack::durable) acknowledged(order);
    return;
  }
  switch (result.error().code) {
    case Errc::kReadOnly: poisoned_ = true; return;  // it may be there or not
    case Errc::kClosed: return;
    case Errc::kTimedOut:
    case Errc::kCancelled:
    case Errc::kWouldBlock:
    case Errc::kFull:
    case Errc::kTooLarge:
    case Errc::kNotFound: return p->remove(order);
    default:
      if (is_too_new(result.error())) return p->remove(order);
      return fail(fmt::format("append {}: {}", order, result.error().message()));
  }
}

void Simulation::acknowledged(uint64_t order) {
  durable_floor_ = std::max(durable_floor_, order);
  if (!machine_->disk.has_lied()) safe_floor_ = durable_floor_;
}

void Simulation::sync(SeededRandom& r) {
  PartitionModel* p = pick(r);
  if (!p) return;
  // The log has appends in the order of their calls: what is durable is all up to the last that has a place.
  Offset placed = p->placed_end();
  uint64_t life = machine_->life();
  PartitionId id = p->id;
  machine_->engine().sync(id, [this, life, id, placed](Result<void> result) {
    if (machine_->life() != life || !machine_->has_power()) return;
    if (!result) {
      poisoned_ |= result.error().code == Errc::kReadOnly;
      return;
    }
    PartitionModel* synced = find(id);
    if (synced) synced->durable_seen = std::max(synced->durable_seen, placed);
  });
}

void Simulation::cancel(SeededRandom& r) {
  if (waiting_.empty() || !machine_->is_up()) return;
  size_t i = r.below(waiting_.size());
  RequestId request = waiting_[i].second;
  waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(i));
  machine_->engine().cancel(request);
}

// ---- readers

/// Whether a reader may be told this now.
bool Simulation::may_fail(const Error& error) {
  if (!machine_->has_power()) return true;
  switch (error.code) {
    case Errc::kUnavailable: return true;
    case Errc::kClosed: return stopping_;
    case Errc::kIo:
    case Errc::kNoSpace: return disk_failed_;
    case Errc::kCorrupt: return garbled_ || !rotten_.empty();
    case Errc::kFull: return true;
    case Errc::kReadOnly: return poisoned_ = true;
    default: return false;
  }
}

/// A reader may be told so since it asked. Of an engine that is ending nobody can ask whether it is so.
bool Simulation::is_deleted(PartitionId id, TextPosition at) {
  if (!machine_->is_up()) return true;
  auto ends = machine_->engine().ends(id);
  return ends && at < ends->text_start;
}

bool Simulation::is_deleted(PartitionId id, Offset at) {
  if (!machine_->is_up()) return true;
  auto ends = machine_->engine().ends(id);
  return ends && at < ends->log_start;
}

void Simulation::read_text(SeededRandom& r) {
  PartitionModel* p = pick(r);
  if (!p) return;
  auto ends = machine_->engine().ends(p->id);
  if (!ends) return;  // being deleted
  check_ends(*p, *ends);
  TextPosition from = ends->text_start + static_cast<int64_t>(r.below(static_cast<uint64_t>(ends->text_end - ends->text_start) + 1));
  uint64_t life = machine_->life();
  PartitionId id = p->id;
  machine_->engine().read_text(id, from, r.between(1, 100'000), [this, id, from, life](Result<TextRead> read) {
    PartitionModel* q = find(id);
    if (machine_->life() != life || !machine_->has_power() || !q) return;
    if (!read && read.error().code == Errc::kOutOfRange && is_deleted(id, from)) return;
    if (!read && !may_fail(read.error())) return fail("read_text: " + read.error().message());
    if (!read) return;
    std::string text;
    for (ByteSpan piece : read->text.pieces) text += as_text(piece);
    check(q->check_text(from, text));
  });
}

void Simulation::fetch(SeededRandom& r) {
  PartitionModel* p = pick(r);
  if (!p) return;
  auto ends = machine_->engine().ends(p->id);
  if (!ends) return;
  check_ends(*p, *ends);
  Offset from = ends->log_start + static_cast<int64_t>(r.below(static_cast<uint64_t>(ends->durable_end - ends->log_start) + 1));
  uint64_t life = machine_->life();
  PartitionId id = p->id;
  machine_->engine().fetch(id, from, r.between(1, 100'000), [this, id, from, life](Result<Fetched> fetched) {
    PartitionModel* q = find(id);
    if (machine_->life() != life || !machine_->has_power() || !q) return;
    if (!fetched && fetched.error().code == Errc::kOutOfRange && is_deleted(id, from)) return;
    if (!fetched && !may_fail(fetched.error())) return fail("fetch: " + fetched.error().message());
    if (!fetched) return;
    std::vector<std::byte> bytes;
    for (ByteSpan piece : fetched->batches.pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
    Offset end;
    check(q->check_batches(from, bytes, end));
    if (end > fetched->ends.durable_end)
      fail(fmt::format("partition {}: a fetch brought offsets up to {}, the durable end is {}", id.v, end.v,
                       fetched->ends.durable_end.v));
  });
}

/// The whole file. False if it could not be read to its end, which may be.
bool Simulation::read_all(PartitionModel& p, SeededRandom& r) {
  auto ends = machine_->engine().ends(p.id);
  if (!ends) return false;
  check_ends(p, *ends);
  TextPosition at = ends->text_start;
  size_t max_bytes = 0;
  int failures = 0;
  while (at < ends->text_end && outcome_.failure.empty()) {
    auto answer = std::make_shared<std::optional<Result<TextRead>>>();
    if (max_bytes != 1) max_bytes = r.percent(80) ? 1 << 20 : r.between(1, 5000);
    machine_->engine().read_text(p.id, at, max_bytes,
                                [answer](Result<TextRead> read) { *answer = std::move(read); });
    uint64_t life = machine_->life();
    if (!drive_until([&] { return answer->has_value(); })) {
      if (machine_->life() == life) fail("a read is never answered");
      return false;
    }
    if (!machine_->is_up()) return false;
    Result<TextRead>& read = **answer;
    if (!read && read.error().code == Errc::kOutOfRange && is_deleted(p.id, at)) {
      at = machine_->engine().ends(p.id)->text_start;
      continue;
    }
    if (!read && read.error().code == Errc::kCorrupt && is_rotten(p.id, at)) continue;
    if (!read && read.error().code == Errc::kCorrupt && !rotten_.empty() && max_bytes > 1) {
      max_bytes = 1;  // what comes next may be rotten, and this is not
      continue;
    }
    max_bytes = 0;
    if (!read && !(read.error().code == Errc::kCorrupt ? garbled_ : may_fail(read.error())))
      fail(fmt::format("reading partition {} at {}: {}", p.id.v, at.v, read.error().message()));
    if (!read && ++failures > 3) return false;
    if (!read) continue;
    std::string text;
    for (ByteSpan piece : read->text.pieces) text += as_text(piece);
    if (text.empty()) return fail(fmt::format("partition {} has no text at {}, and ends at {}", p.id.v, at.v, ends->text_end.v)), false;
    check(p.check_text(at, text));
    at += static_cast<int64_t>(text.size());
  }
  return true;
}

bool Simulation::fetch_all(PartitionModel& p, SeededRandom& r) {
  auto ends = machine_->engine().ends(p.id);
  if (!ends) return false;
  Offset at = ends->log_start;
  size_t max_bytes = 0;
  int failures = 0;
  while (at < ends->durable_end && outcome_.failure.empty()) {
    auto answer = std::make_shared<std::optional<Result<Fetched>>>();
    if (max_bytes != 1) max_bytes = r.percent(80) ? 1 << 20 : r.between(1, 5000);
    machine_->engine().fetch(p.id, at, max_bytes,
                            [answer](Result<Fetched> fetched) { *answer = std::move(fetched); });
    uint64_t life = machine_->life();
    if (!drive_until([&] { return answer->has_value(); })) {
      if (machine_->life() == life) fail("a fetch is never answered");
      return false;
    }
    if (!machine_->is_up()) return false;
    Result<Fetched>& fetched = **answer;
    if (!fetched && fetched.error().code == Errc::kOutOfRange && is_deleted(p.id, at)) {
      at = machine_->engine().ends(p.id)->log_start;
      continue;
    }
    if (!fetched && fetched.error().code == Errc::kCorrupt && is_rotten(p.id, at)) continue;
    if (!fetched && fetched.error().code == Errc::kCorrupt && !rotten_.empty() && max_bytes > 1) {
      max_bytes = 1;
      continue;
    }
    max_bytes = 0;
    if (!fetched && !(fetched.error().code == Errc::kCorrupt ? garbled_ : may_fail(fetched.error())))
      fail(fmt::format("fetching partition {} at {}: {}", p.id.v, at.v, fetched.error().message()));
    if (!fetched && ++failures > 3) return false;
    if (!fetched) continue;
    std::vector<std::byte> bytes;
    for (ByteSpan piece : fetched->batches.pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
    if (bytes.empty()) return fail(fmt::format("partition {} has no batch at {}, and ends at {}", p.id.v, at.v, ends->durable_end.v)), false;
    check(p.check_batches(at, bytes, at));
  }
  return true;
}

void Simulation::verify(SeededRandom& r) {
  // A topic that changes meanwhile is left out.
  drive_until([this] { return std::none_of(topics_.begin(), topics_.end(), [](const Topic& t) { return t.busy; }); }, 2000);
  uint64_t life = machine_->life();
  for (Topic& t : topics_) {
    if (t.busy) continue;
    for (size_t i = 0; i < t.partitions.size(); i++) {
      if (!machine_->is_up() || machine_->life() != life || !outcome_.failure.empty() || !t.is_there()) return;
      bool read = read_all(t.partitions[i], r);
      if (!machine_->is_up() || machine_->life() != life) return;
      bool fetched = fetch_all(t.partitions[i], r);
      if (machine_->life() != life) return;
      if ((!read || !fetched) && !t.busy && weather_.is_fine() && !disk_failed_ && !poisoned_ && outcome_.failure.empty())
        fail(fmt::format("partition {} cannot be read, though nothing is wrong", t.partitions[i].id.v));
    }
  }
}

void Simulation::on_durable(std::span<const PartitionId> partitions) {
  if (!machine_->is_up() || !machine_->has_power()) return;
  for (PartitionId id : partitions) {
    PartitionModel* p = find(id);
    auto ends = machine_->engine().ends(id);
    if (p && ends) check_ends(*p, *ends);
  }
}

}  // namespace topicfs::sim
