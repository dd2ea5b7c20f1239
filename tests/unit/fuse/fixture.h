// A Filesystem over the engine in memory, with time that stands still; small verbs for its tests.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>

#include <string>

#include "fuse/filesystem.h"
#include "support/manual_executor.h"
#include "support/memory_engine.h"

namespace topicfs::fuse {

inline bool operator==(const Answer<size_t>& answer, Errno error) {
  return !answer && answer.error() == error;
}

/// The one answer of a reply; a test fails that looks before it has come.
template <class T>
struct Awaited {
  std::shared_ptr<std::optional<Answer<T>>> slot = std::make_shared<std::optional<Answer<T>>>();
  Reply<T> reply() {
    return [slot = slot](Answer<T> answer) {
      REQUIRE(!slot->has_value());
      *slot = std::move(answer);
    };
  }
  bool answered() const { return slot->has_value(); }
  const Answer<T>& answer() const {
    REQUIRE(slot->has_value());
    return **slot;
  }
  int error() const { return answer() ? 0 : answer().error().value; }
};

struct Fixture {
  ManualExecutor time;
  testing::MemoryEngine engine{{.clock = &time}};
  Filesystem fs;

  explicit Fixture(Deleted deleted = Deleted::skip) : fs(options(deleted), engine, time, time, time) {}

  static FilesystemOptions options(Deleted deleted) {
    FilesystemOptions o;
    o.deleted = deleted;
    o.space_path = "/";
    return o;
  }

  Awaited<Entry> mkdir(std::string_view name, Inode parent = kRootInode) {
    Awaited<Entry> made;
    fs.mkdir(parent, name, 0755, {10, 20, 022}, made.reply());
    return made;
  }
  Inode topic(std::string_view name = "orders") { return mkdir(name).answer()->inode; }
  Inode partition(Inode topic, std::string_view name = "0") { return fs.lookup(topic, name)->inode; }
  PartitionId id(Inode partition) { return meaning_of(partition).partition(); }
  Awaited<Entry> make(Inode topic, std::string_view name) {
    Awaited<Entry> made;
    fs.make_partition(topic, name, 0640, {10, 20, 022}, made.reply());
    return made;
  }
  Awaited<OpenFile*> try_open(Inode inode, int flags) {
    Awaited<OpenFile*> opened;
    fs.open(inode, flags, opened.reply());
    return opened;
  }
  OpenFile& open(Inode inode, int flags) { return **try_open(inode, flags).answer(); }
  OpenFile& appender(Inode inode) { return open(inode, O_WRONLY | O_APPEND); }

  /// What Interrupt::arm was last given.
  struct Armed {
    Waiting what{};
    uint64_t number = 0;
  };
  static void arm(void* armed, Waiting what, uint64_t number) {
    *static_cast<Armed*>(armed) = {what, number};
  }

  Awaited<size_t> write(OpenFile& file, std::string_view text, WriteRequest request = {},
                        Armed* armed = nullptr) {
    Awaited<size_t> written;
    request.bytes = as_byte_span(text);
    fs.write(file, request, armed ? Interrupt{armed, arm} : Interrupt{}, written.reply());
    return written;
  }
  Awaited<size_t> flush(OpenFile& file, Armed* armed = nullptr) {
    Awaited<size_t> done;
    fs.flush(file, armed ? Interrupt{armed, arm} : Interrupt{}, done.reply());
    return done;
  }
  Awaited<size_t> sync(OpenFile& file, Armed* armed = nullptr) {
    Awaited<size_t> done;
    fs.sync(file, armed ? Interrupt{armed, arm} : Interrupt{}, done.reply());
    return done;
  }
  Awaited<Bytes> read(OpenFile& file, int64_t offset, size_t size = 1 << 20, Wait wait = Wait::yes,
                      Armed* armed = nullptr) {
    Awaited<Bytes> done;
    fs.read(file, {offset, size, wait}, armed ? Interrupt{armed, arm} : Interrupt{}, done.reply());
    return done;
  }
  static std::string text(const Awaited<Bytes>& read) {
    std::string all;
    REQUIRE(read.answer());
    for (ByteSpan piece : read.answer()->pieces) all += as_text(piece);
    CHECK(all.size() == read.answer()->size);
    return all;
  }
  std::string content(Inode partition) { return text(read(open(partition, O_RDONLY), 0)); }
  int64_t size(Inode inode, OpenFile* file = nullptr) { return fs.attributes(inode, file)->st_size; }
  Awaited<struct stat> change(Inode inode, AttributeChange change, OpenFile* file = nullptr) {
    Awaited<struct stat> done;
    fs.set_attributes(inode, change, file, done.reply());
    return done;
  }
  /// Appends as another door would.
  void append(Inode partition, std::string_view text) {
    const ByteSpan pieces[] = {as_byte_span(text)};
    engine.append_text(id(partition), pieces, LastLine::complete, {},
                       [](Result<Appended> done) { REQUIRE(done); });
  }
};

}  // namespace topicfs::fuse
