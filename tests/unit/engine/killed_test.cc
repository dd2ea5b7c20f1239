// An engine with its real threads, files and clock, under writers, readers and offloads, that is killed again and again: the
// simulation's oracle, where the thread sanitizer can look. What was acknowledged is there once, at the place that the answer
// told; what is in doubt is there whole or not at all; the log was cut at one point; both doors show the same, and what
// readers saw through them. A kill is killable.h's.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "object/dir/dir_store.h"
#include "support/batches.h"
#include "support/engine_views.h"
#include "support/killable.h"
#include "support/seeded_random.h"
#include "support/temporary_directory.h"

using namespace topicfs;
using testing::SeededRandom;

namespace {

constexpr int kLives = 4, kWriters = 4, kReaders = 2, kPartitions = 4;
constexpr int64_t kFewestChanges = 20, kMostChanges = 500;  // of files, in a life
constexpr size_t kMostAppends = 500;   // of a writer in a life
constexpr size_t kMostOnTheirWay = 20; // of a writer
constexpr size_t kMostSeen = 100;      // by a reader in a life, and checked afterwards
constexpr std::chrono::seconds kPatience{60};
constexpr uint64_t kSeed = 20261127;

/// An append, from its call to its answer.
struct Sent {
  PartitionId partition;
  sim::ModelAppend append;
  Ack ack = Ack::durable;
  uint64_t called = 0, answered = 0;  ///< points of time
  Result<Appended> answer = fail(Errc::kTimedOut, "not answered");

  bool has_place() const { return answered && answer; }
  /// Nobody was told what came of it.
  bool is_in_doubt() const {
    return !answered || (!answer && (answer.error().code == Errc::kReadOnly || answer.error().code == Errc::kClosed));
  }
};

/// What a reader was shown.
struct Seen {
  PartitionId partition;
  TextPosition text_from;
  std::string text;
  Offset from;
  std::vector<std::byte> batches;
};

struct ChurnedTopic {
  std::string name;
  TopicPtr topic;                            ///< once it is known
  bool may_be_there = true, may_be_gone = false;
};

/// An idempotent producer of one partition: its last batch, until that is answered.
struct Producer {
  int64_t id = 0;
  int32_t next_sequence = 0;
  sim::ModelAppend last;
  bool answered = true;
};

/// All that is known over all lives. What threads share is guarded by `mutex`.
class World {
 public:
  World() {
    for (int w = 0; w < kWriters; w++)
      for (int p = 0; p < kPartitions; p++) producers_[w][p].id = 1'000'000 + w * 100 + p;
  }

  /// One process, which is killed in the midst of things, or stopped when its clients are done.
  void live(bool is_killed) {
    Life life;
    auto store = DirStore::open(directory_.path() + "/store");
    REQUIRE(store);
    RealEngine e(options(), std::make_unique<KillableStore>(std::move(*store), life),
                 std::make_unique<KillableFiles>(make_posix_file_system(), life));
    if (lives_++ == 0) {
      for (PartitionId id : e.make_topic("t", kPartitions)) partitions_.push_back(id), models_.try_emplace(id, id);
    } else {
      check_recovered(e);
    }
    if (is_killed) life.limit(static_cast<int64_t>(random_.between(kFewestChanges, kMostChanges)));
    std::vector<std::thread> threads;
    writing_ = true;
    for (int w = 0; w < kWriters; w++) threads.emplace_back([&, w, seed = random_.next()] { write(e, life, w, seed); });
    threads.emplace_back([&, seed = random_.next()] { churn(e, life, seed); });
    std::vector<std::thread> readers;
    for (int r = 0; r < kReaders; r++) readers.emplace_back([&, seed = random_.next()] { look(e, life, seed); });
    for (auto& t : threads) t.join();
    writing_ = false;
    for (auto& t : readers) t.join();
    REQUIRE(failure_ == "");
    life_was_cut_ += is_killed && life.is_over();
    if (!is_killed) {
      auto stopped = e.stop();
      CHECK_MESSAGE(stopped, (stopped ? "" : stopped.error().message()));
    } else {
      life.end();
      e.die();
    }
  }

  /// An engine that only looks. `without`: the data directory.
  void check(bool without) {
    if (without) std::filesystem::remove_all(directory_.path() + "/data");
    auto store = DirStore::open(directory_.path() + "/store");
    REQUIRE(store);
    RealEngine e(options(), std::move(*store));
    check_recovered(e);
  }

  int lives_that_were_cut() const { return life_was_cut_; }
  size_t appends_there() {
    size_t all = 0;
    for (auto& [id, model] : models_) all += model.appends();
    return all;
  }

 private:
  EngineOptions options() {
    EngineOptions o = small_engine_in(directory_.path(), 2 << 20);
    o.offload_interval = std::chrono::milliseconds(200);
    o.object_bytes = 256 << 10;
    return o;
  }

  void fail_with(std::string what) {
    std::lock_guard l(mutex_);
    if (failure_.empty()) failure_ = std::move(what);
    writing_ = false;
  }
  uint64_t now() { return ++time_; }
  bool goes_on(Life& life) { return writing_ && !life.is_over(); }

  // ---- writers

  std::string text_of(SeededRandom& r, uint64_t order) {
    std::string text = "<" + std::to_string(order) + ">";
    size_t size = r.percent(90) ? r.between(0, 300) : r.between(10'000, 60'000);
    for (size_t line = r.between(10, 200); text.size() < size;)
      text += r.below(line) == 0 ? '\n' : static_cast<char>('a' + r.below(26));
    return text;
  }

  sim::ModelAppend make_text(SeededRandom& r) {
    sim::ModelAppend a;
    a.order = ++last_order_;
    a.text = text_of(r, a.order) + (r.percent(90) ? "\n" : "");
    for (size_t i = 0; i < a.text.size(); i++)
      if (a.text[i] == '\n' || i + 1 == a.text.size()) a.line_ends.push_back(static_cast<uint32_t>(i + 1));
    return a;
  }

  sim::ModelAppend make_batch(SeededRandom& r, const Producer* producer) {
    sim::ModelAppend a;
    a.order = ++last_order_;
    std::vector<testing::TestRecord> records;
    for (size_t i = r.between(1, 8); i > 0; i--) {
      testing::TestRecord record;
      record.value = text_of(r, a.order);
      a.text += *record.value + "\n";
      a.line_ends.push_back(static_cast<uint32_t>(a.text.size()));
      records.push_back(std::move(record));
    }
    BatchHeader header;
    header.attributes = static_cast<int16_t>(r.below(5));
    header.base_timestamp = system_clock().wall_now().count();
    if (producer) header.producer_id = producer->id, header.producer_epoch = 0, header.base_sequence = producer->next_sequence;
    a.batch = testing::encode_batch(header, records);
    return a;
  }

  /// Some of the answers come while the writer goes on. All have come when it ends.
  struct OnTheirWay {
    std::mutex mutex;
    std::condition_variable changed;
    size_t count = 0;
    bool wait_until(size_t most) {
      std::unique_lock l(mutex);
      return changed.wait_for(l, kPatience, [&] { return count <= most; });
    }
  };

  Sent& send(RealEngine& e, std::shared_ptr<OnTheirWay> way, Sent s, Wait wait) {
    Sent* sent;
    {
      std::lock_guard l(mutex_);
      sent = &sent_.emplace_back(std::move(s));
    }
    {
      std::lock_guard l(way->mutex);
      way->count++;
    }
    auto done = [this, sent, way](Result<Appended> answer) {
      {
        std::lock_guard l(mutex_);
        if (sent->answered && failure_.empty()) failure_ = "an append was answered twice";
        sent->answered = now();
        sent->answer = std::move(answer);
      }
      std::lock_guard l(way->mutex);
      way->count--;
      way->changed.notify_all();
    };
    const AppendOptions options{sent->ack, wait};
    std::string bytes = sent->append.batch.empty() ? sent->append.text : sent->append.batch;
    ByteSpan pieces[] = {as_byte_span(bytes).first(bytes.size() / 2), as_byte_span(bytes).subspan(bytes.size() / 2)};
    sent->called = now();
    if (!sent->append.batch.empty()) e->append_batch(sent->partition, as_byte_span(bytes), options, done);
    else e->append_text(sent->partition, pieces, bytes.back() == '\n' ? LastLine::complete : LastLine::unfinished, options, done);
    return *sent;
  }

  void write(RealEngine& e, Life& life, int writer, uint64_t seed) {
    SeededRandom r(seed);
    auto way = std::make_shared<OnTheirWay>();
    for (size_t n = 0; n < kMostAppends && goes_on(life); n++) {
      auto partition = r.below(kPartitions);
      Wait wait = r.percent(90) ? Wait::yes : Wait::no;
      if (r.percent(15)) {
        send_idempotent(e, r, way, writer, partition);
      } else {
        Sent s;
        s.partition = partitions_[partition];
        s.append = r.percent(70) ? make_text(r) : make_batch(r, nullptr);
        s.ack = r.percent(60) ? Ack::durable : Ack::buffered;
        send(e, way, std::move(s), wait);
      }
      if (!way->wait_until(r.percent(30) ? 0 : kMostOnTheirWay)) return fail_with("an append is never answered");
    }
    if (!way->wait_until(0)) fail_with("an append is never answered");
  }

  /// The next batch, or the last one again: if nobody knows what came of it, or for no reason.
  void send_idempotent(RealEngine& e, SeededRandom& r, std::shared_ptr<OnTheirWay> way, int writer, size_t partition) {
    Producer& producer = producers_[writer][partition];
    const PartitionId id = partitions_[partition];
    const bool is_lost = !producer.answered && !there_.contains(producer.last.order);
    if (!is_lost && (!producer.answered || (producer.last.order != 0 && r.percent(30)))) {
      auto answer = RealEngine::wait_for<Appended>(
          [&](auto done) { e->append_batch(id, as_byte_span(producer.last.batch), {}, std::move(done)); });
      if (answer) {
        std::lock_guard l(mutex_);
        repeated_.emplace_back(id, producer.last.order, *answer);
        producer.answered = true;
      } else {
        note_refusal("a batch that came again", answer.error());
      }
      return;
    }
    Sent s;
    s.partition = id;
    if (!is_lost) {
      producer.last = make_batch(r, &producer);
      producer.next_sequence += static_cast<int32_t>(producer.last.records());
    }
    s.append = producer.last;
    Sent& sent = send(e, way, std::move(s), Wait::yes);
    if (r.percent(30)) {  // while the first is on its way
      {
        std::lock_guard l(way->mutex);
        way->count++;
      }
      e->append_batch(id, as_byte_span(producer.last.batch), {}, [this, way, id, order = producer.last.order](Result<Appended> answer) {
        if (answer) {
          std::lock_guard l(mutex_);
          repeated_.emplace_back(id, order, *answer);
        }
        std::lock_guard l(way->mutex);
        way->count--;
        way->changed.notify_all();
      });
    }
    if (!way->wait_until(0)) return fail_with("an append is never answered");
    std::lock_guard l(mutex_);
    producer.answered = sent.has_place();
    if (!sent.answer && !sent.is_in_doubt()) {  // it has no place: the next one takes its
      producer.next_sequence -= static_cast<int32_t>(producer.last.records());
      producer.answered = true, producer.last = {};
    }
  }

  // ---- topics that come and go

  void churn(RealEngine& e, Life& life, uint64_t seed) {
    SeededRandom r(seed);
    auto way = std::make_shared<OnTheirWay>();
    while (goes_on(life) && churned_.size() < 60 * static_cast<size_t>(lives_)) {
      ChurnedTopic& t = churned_.emplace_back();
      t.name = "c-" + std::to_string(churned_.size());
      t.may_be_gone = true;
      NewTopic topic;
      topic.name = t.name;
      topic.partitions = 2;
      auto made = RealEngine::wait_for<TopicPtr>([&](auto done) { e->create_topic(topic, std::move(done)); });
      if (!made) return note_refusal("create_topic", made.error());
      t.topic = *made;
      t.may_be_gone = false;
      {
        std::lock_guard l(mutex_);
        for (const auto& p : t.topic->partitions) models_.try_emplace(p.id, p.id);
      }
      Sent s;
      s.partition = t.topic->partitions[r.below(2)].id;
      s.append = make_text(r);
      send(e, way, std::move(s), Wait::yes);
      if (!way->wait_until(0)) return fail_with("an append is never answered");
      if (r.percent(60)) delete_topic(e, churned_[r.below(churned_.size())]);
    }
  }

  void delete_topic(RealEngine& e, ChurnedTopic& t) {
    if (!t.may_be_there || !t.topic) return;
    t.may_be_gone = true;
    auto deleted = RealEngine::wait_for<void>([&](auto done) { e->delete_topic(t.topic->id, OnlyEmpty::no, std::move(done)); });
    if (!deleted) return note_refusal("delete_topic", deleted.error());
    t.may_be_there = false;
  }

  void note_refusal(const std::string& verb, const Error& error) {
    if (error.code != Errc::kReadOnly && error.code != Errc::kClosed) fail_with(verb + ": " + error.message());
  }

  // ---- readers

  void look(RealEngine& e, Life& life, uint64_t seed) {
    SeededRandom r(seed);
    for (size_t n = 0; writing_; n++) {
      Seen seen;
      seen.partition = partitions_[r.below(kPartitions)];
      auto ends = e->ends(seen.partition);
      if (!ends) return fail_with("ends: " + ends.error().message());
      Error error;
      if (r.coin()) {
        seen.text_from = TextPosition(static_cast<int64_t>(r.below(static_cast<uint64_t>(ends->text_end.v) + 1)));
        auto read = RealEngine::wait_for<TextRead>(
            [&](auto done) { e->read_text(seen.partition, seen.text_from, r.between(1, 20'000), std::move(done)); });
        if (!read) error = read.error();
        else for (ByteSpan piece : read->text.pieces) seen.text += as_text(piece);
      } else {
        CHECK(ends->durable_end <= ends->visible_end);
        auto durable = static_cast<uint64_t>(ends->durable_end.v), oldest = r.coin() ? durable - std::min<uint64_t>(durable, 3) : 0;
        seen.from = Offset(static_cast<int64_t>(r.between(oldest, durable)));
        auto fetched = RealEngine::wait_for<Fetched>(
            [&](auto done) { e->fetch(seen.partition, seen.from, r.between(1, 20'000), std::move(done)); });
        if (!fetched) error = fetched.error();
        else for (ByteSpan piece : fetched->batches.pieces) seen.batches.insert(seen.batches.end(), piece.begin(), piece.end());
        ends = e->ends(seen.partition);
        if (!ends || end_of(seen) > ends->durable_end) return fail_with("a fetch brought what is not durable");
      }
      if (!error.what.empty() && error.code != Errc::kUnavailable && error.code != Errc::kFull && !life.is_over())
        return fail_with("a reader is told: " + error.message());
      std::lock_guard l(mutex_);
      Offset& durable = durable_seen_[seen.partition];
      durable = std::max(durable, ends->durable_end);
      if (n < kMostSeen) seen_.push_back(std::move(seen));
      else seen_[n % seen_.size()] = std::move(seen);  // the last before the end
    }
  }

  static Offset end_of(const Seen& seen) {
    Offset end = seen.from;
    for (ByteSpan rest = seen.batches; !rest.empty();) {
      auto header = BatchHeader::parse(rest);
      if (!header || header->size_bytes() > rest.size()) return Offset(INT64_MAX);
      end = header->next_offset();
      rest = rest.subspan(header->size_bytes());
    }
    return end;
  }

  // ---- what is left

  /// Each append of the last life that is there, in the order in which they are there, comes into its partition's model.
  void check_recovered(RealEngine& e) {
    for (ChurnedTopic& t : churned_) check_churned(e, t);
    std::map<PartitionId, std::vector<Sent*>> by_partition;
    for (Sent& s : sent_)
      if (models_.contains(s.partition)) by_partition[s.partition].push_back(&s);
    kept_called_ = 0, lost_answered_ = UINT64_MAX;
    for (auto& [id, model] : models_) match(e, model, by_partition[id]);
    // Who was called after another was answered is behind it in the log.
    CHECK(lost_answered_ > kept_called_);
    for (auto& [id, order, answer] : repeated_)
      if (auto model = models_.find(id); model != models_.end()) CHECK(model->second.check_repeated(order, answer) == "");
    for (const auto& [id, durable] : durable_seen_) CHECK(e->ends(id)->durable_end >= durable);
    for (Seen& s : seen_) {
      sim::PartitionModel& model = models_.at(s.partition);
      // A file may be shorter after a crash than somebody saw it.
      auto left = static_cast<size_t>(std::max<int64_t>(0, model.text_end() - s.text_from));
      CHECK(model.check_text(s.text_from, std::string_view(s.text).substr(0, left)) == "");
      Offset end;
      CHECK(model.check_batches(s.from, s.batches, end) == "");
    }
    for (auto& [id, model] : models_) check_views(e, model);
    sent_.clear(), repeated_.clear(), durable_seen_.clear(), seen_.clear();
  }

  void check_churned(RealEngine& e, ChurnedTopic& t) {
    TopicPtr found = e->find_topic(t.name);
    CAPTURE(t.name);
    CHECK((found ? t.may_be_there : t.may_be_gone));
    if (found && t.topic) CHECK(found->id == t.topic->id);
    if (!found && t.topic)
      for (const auto& p : t.topic->partitions) models_.erase(p.id);
    if (found && !t.topic)
      for (const auto& p : found->partitions) models_.try_emplace(p.id, p.id);
    t.topic = found;
    t.may_be_there = found != nullptr, t.may_be_gone = !t.may_be_there;
  }

  void match(RealEngine& e, sim::PartitionModel& model, std::vector<Sent*>& sent) {
    const std::string text = read_from(e, model.id, model.text_end());
    std::map<Offset, Sent*> placed;
    std::vector<Sent*> in_doubt;
    for (Sent* s : sent) {
      if (s->has_place()) REQUIRE(placed.emplace(s->answer->base_offset, s).second);
      if (s->is_in_doubt()) in_doubt.push_back(s);
    }
    for (size_t at = 0; at < text.size();) {
      Sent* s = nullptr;
      auto is_here = [&](const Sent* one) { return std::string_view(text).substr(at).starts_with(one->append.text); };
      if (auto found = placed.find(model.end()); found != placed.end()) s = found->second, placed.erase(found);
      else if (auto doubt = std::find_if(in_doubt.begin(), in_doubt.end(), is_here); doubt != in_doubt.end())
        s = *doubt, in_doubt.erase(doubt);
      REQUIRE_MESSAGE(s, "partition ", model.id.v, " has at ", model.text_end().v, " what nobody has sent whole: ",
                      text.substr(at, 60));
      REQUIRE(is_here(s));
      at += s->append.text.size();
      kept_called_ = std::max(kept_called_, s->called);
      const uint64_t order = s->append.order;
      there_.insert(order);
      model.add(std::move(s->append));
      if (s->has_place()) REQUIRE(model.check_answer(order, *s->answer) == "");
    }
    for (auto& [offset, s] : placed) {
      CHECK_MESSAGE(s->ack == Ack::buffered, "partition ", model.id.v, ": what was acknowledged as durable at offset ",
                    offset.v, " is lost");
      lost_answered_ = std::min(lost_answered_, s->answered);
    }
    sim::PartitionModel::Cut cut;
    CHECK(model.cut_at(*e->ends(model.id), false, cut) == "");
    CHECK(cut.first_lost == UINT64_MAX);
    model.durable_seen = Offset(0);
  }

  TemporaryDirectory directory_;
  SeededRandom random_{kSeed};
  int lives_ = 0, life_was_cut_ = 0;
  std::vector<PartitionId> partitions_;
  Producer producers_[kWriters][kPartitions];  // each of one thread
  std::deque<ChurnedTopic> churned_;           // of one thread
  std::set<uint64_t> there_;                   // orders of appends, as of the last check
  uint64_t kept_called_ = 0, lost_answered_ = 0;

  std::atomic<bool> writing_{false};
  std::atomic<uint64_t> time_{0}, last_order_{0};
  std::mutex mutex_;
  std::string failure_;
  std::map<PartitionId, sim::PartitionModel> models_;
  std::deque<Sent> sent_;
  std::vector<std::tuple<PartitionId, uint64_t, Appended>> repeated_;
  std::map<PartitionId, Offset> durable_seen_;
  std::vector<Seen> seen_;
};

}  // namespace

TEST_CASE("an engine that is killed while many write and read keeps what it acknowledged, and tears nothing") {
  World world;
  for (int i = 0; i < kLives; i++) world.live(true);
  CHECK(world.lives_that_were_cut() > 0);
  world.live(false);
  world.check(false);
  CHECK(world.appends_there() > kLives * kWriters);
  world.check(true);
}
