// RingEngine: a catalog in memory, and appends that are copied once into a ring and forgotten, as a
// log's pool would take them; reads bring zeros. For measuring the mount beside a file system that
// does nothing (NULL_FS_COPY=1 null_fs), with an engine that costs as little as one can.
#pragma once

#include <atomic>
#include <cstring>
#include <vector>

#include "support/memory_engine.h"

namespace topicfs::testing {

class RingEngine final : public Engine {
 public:
  RingEngine()
      : ring_(kRingBytes + kMaxTextAppendBytes, std::byte{1}), zeros_(kMaxReadBytes), ends_(kMaxPartitions) {}

  RequestId append_text(PartitionId partition, std::span<const ByteSpan> pieces, LastLine, AppendOptions,
                        Completion<Appended> done) override {
    size_t size = 0;
    for (ByteSpan piece : pieces) size += piece.size();
    std::byte* to = ring_.data() + at_.fetch_add(size) % kRingBytes;
    for (ByteSpan piece : pieces) {
      std::memcpy(to, piece.data(), piece.size());
      to += piece.size();
    }
    const auto grown = static_cast<int64_t>(size);
    Appended appended;
    appended.text_end = TextPosition(ends_[partition.v % kMaxPartitions].fetch_add(grown) + grown);
    done(appended);
    return 0;
  }
  Result<PartitionEnds> ends(PartitionId partition) override {
    PartitionEnds ends;
    ends.text_end = TextPosition(ends_[partition.v % kMaxPartitions].load());
    ends.retained_bytes = ends.text_end.v;
    return ends;
  }
  void read_text(PartitionId partition, TextPosition from, size_t max_bytes,
                 Completion<TextRead> done) override {
    TextRead read;
    read.ends = *ends(partition);
    const auto left = static_cast<size_t>(std::max<int64_t>(0, read.ends.text_end - from));
    read.text.size = std::min({max_bytes, left, zeros_.size()});
    read.text.pieces.push_back(ByteSpan(zeros_).first(read.text.size));
    done(std::move(read));
  }
  void sync(PartitionId, Completion<void> done) override { done({}); }
  void cancel(RequestId) override {}
  void set_modified(PartitionId, WallMilliseconds, Completion<void> done) override { done({}); }

  // ---- the catalog's verbs

  TopicPtr find_topic(std::string_view name) override { return catalog_.find_topic(name); }
  TopicPtr find_topic(const Uuid& id) override { return catalog_.find_topic(id); }
  TopicPtr find_topic(TopicNumber number) override { return catalog_.find_topic(number); }
  std::optional<PartitionPlace> find_partition(PartitionId id) override {
    return catalog_.find_partition(id);
  }
  std::vector<TopicPtr> list_topics() override { return catalog_.list_topics(); }
  void create_topic(NewTopic topic, Completion<TopicPtr> done) override {
    catalog_.create_topic(std::move(topic), std::move(done));
  }
  void add_partitions(const Uuid& topic, int32_t total, Ownership o, Completion<TopicPtr> done) override {
    catalog_.add_partitions(topic, total, o, std::move(done));
  }
  void delete_topic(const Uuid& topic, OnlyEmpty only_empty, Completion<void> done) override {
    catalog_.delete_topic(topic, only_empty, std::move(done));
  }
  void change_settings(const Uuid& topic, std::map<std::string, std::optional<std::string>> changes,
                       Completion<TopicPtr> done) override {
    catalog_.change_settings(topic, std::move(changes), std::move(done));
  }
  void change_ownership(const Uuid& topic, OwnershipChange change, Completion<TopicPtr> done) override {
    catalog_.change_ownership(topic, change, std::move(done));
  }
  void change_ownership(PartitionId id, OwnershipChange change, Completion<TopicPtr> done) override {
    catalog_.change_ownership(id, change, std::move(done));
  }
  void add_listener(EngineListener* listener) override { catalog_.add_listener(listener); }
  void remove_listener(EngineListener* listener) override { catalog_.remove_listener(listener); }
  void leader_epochs(PartitionId partition, Completion<std::vector<EpochStart>> done) override {
    catalog_.leader_epochs(partition, std::move(done));
  }
  int32_t leader_epoch() override { return catalog_.leader_epoch(); }
  Uuid store_id() override { return catalog_.store_id(); }
  void status(Completion<std::string> done) override { catalog_.status(std::move(done)); }

  // ---- what a mount never asks

  RequestId append_batch(PartitionId, ByteSpan, AppendOptions, Completion<Appended> done) override {
    done(fail(Errc::kUnsupported, "the ring takes text"));
    return 0;
  }
  void delete_records(PartitionId, Offset, Completion<Offset> done) override { done(fail(Errc::kUnsupported, "a ring")); }
  void allocate_producer_ids(int32_t, Completion<int64_t> done) override {
    done(fail(Errc::kUnsupported, "none"));
  }
  void fetch(PartitionId, Offset, size_t, Completion<Fetched> done) override {
    done(fail(Errc::kUnsupported, "the ring keeps no batches"));
  }
  void find_timestamp(PartitionId, int64_t, Completion<TimestampedOffset> done) override {
    done(TimestampedOffset{});
  }
  void commit_offsets(std::string, std::vector<CommittedOffset>, Completion<void> done) override { done({}); }
  void fetch_offsets(std::string, Completion<std::vector<CommittedOffset>> done) override { done({}); }
  void delete_offsets(std::string, std::vector<PartitionId>, Completion<void> done) override { done({}); }
  void save_group(std::string, GroupState, Completion<void> done) override { done({}); }
  void delete_group(std::string, Completion<void> done) override { done({}); }
  void list_groups(std::string, Completion<std::vector<StoredGroup>> done) override { done({}); }

 private:
  static constexpr size_t kRingBytes = 64 << 20, kMaxReadBytes = 1 << 20, kMaxPartitions = 4096;

  MemoryEngine catalog_;
  std::vector<std::byte> ring_;
  std::vector<std::byte> zeros_;
  std::vector<std::atomic<int64_t>> ends_;
  std::atomic<size_t> at_{0};
};

}  // namespace topicfs::testing
