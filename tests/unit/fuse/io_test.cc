#include "fixture.h"

#include <algorithm>
#include <memory>

using namespace topicfs;
using namespace topicfs::fuse;
using namespace std::chrono_literals;

TEST_CASE("a partition with data opens for writing only with O_APPEND") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  CHECK(f.try_open(p, O_WRONLY | O_TRUNC).error() == 0);
  f.append(p, "x\n");
  for (int flags : {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_APPEND | O_TRUNC, O_RDONLY | O_TRUNC})
    CHECK(f.try_open(p, flags).error() == EPERM);
  for (int flags : {O_RDONLY, O_WRONLY | O_APPEND, O_RDWR | O_APPEND})
    CHECK(f.try_open(p, flags).error() == 0);
}

TEST_CASE("O_APPEND appends wherever the kernel thinks the end is; without it a write must be at the end") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& copier = f.open(p, O_WRONLY);
  WriteRequest at;
  at.append = false;
  CHECK(f.write(copier, "one\ntw", at).error() == 0);
  at.offset = 4;
  CHECK(f.write(copier, "x", at).error() == EPERM);
  at.offset = 6;  // its own unfinished bytes count
  CHECK(f.write(copier, "o\n", at).error() == 0);
  f.write(f.appender(p), "appended\n", {.offset = 1, .bytes = {}});
  at.offset = 8;
  CHECK(f.write(copier, "late\n", at).error() == EPERM);
  CHECK(f.content(p) == "one\ntwo\nappended\n");
}

TEST_CASE("lines of two appenders stay whole, and an unfinished one waits for its end") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile &a = f.appender(p), &b = f.appender(p);
  f.write(a, "first ha");
  f.write(b, "second\nthird ha");
  f.write(a, "lf\n");
  f.write(b, "lf\n");
  CHECK(f.content(p) == "second\nfirst half\nthird half\n");
}

TEST_CASE("flush, sync, a durable write and a time-out end an unfinished line; the bytes are the same") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  f.write(file, "a");
  CHECK(f.content(p).empty());
  CHECK(f.size(p, &file) == 1);
  CHECK(f.flush(file).error() == 0);
  CHECK(f.content(p) == "a");
  f.write(file, "b");
  CHECK(f.sync(file).error() == 0);
  CHECK(f.content(p) == "ab");
  f.write(file, "c");
  WriteRequest durable;
  durable.ack = Ack::durable;
  CHECK(f.write(file, "d\ne", durable).error() == 0);
  CHECK(f.content(p) == "abcd\ne");
  f.write(file, "f");
  f.time.advance(4s);
  CHECK(f.content(p) == "abcd\ne");
  f.time.advance(1s);
  CHECK(f.content(p) == "abcd\nef");
  CHECK(f.time.pending() == 0);
}

TEST_CASE("the time-out counts from the first byte of the line that is unfinished") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  f.write(file, "one");
  f.time.advance(3s);
  f.write(file, "\ntwo");
  f.time.advance(3s);
  CHECK(f.content(p) == "one\n");
  f.time.advance(2s);
  CHECK(f.content(p) == "one\ntwo");
}

TEST_CASE("what a closed file leaves unfinished is appended, also when the mount stops") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile &closed = f.appender(p), &open = f.appender(p);
  f.write(closed, "a");
  f.write(open, "b");
  f.fs.release(&closed);
  CHECK(f.content(p) == "a");
  f.fs.stop();
  CHECK(f.content(p) == "ab");
}

TEST_CASE("a write waits while the log is full, and takes no thread for it") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  f.write(file, "begun ");
  f.engine.set_full(true);
  std::string text = "here\nrest";
  auto waiting = f.write(file, text);
  CHECK_FALSE(waiting.answered());
  text.assign(text.size(), '!');  // libfuse reuses its buffer
  auto closing = f.flush(file);   // queues behind it
  CHECK_FALSE(closing.answered());
  f.engine.set_full(false);
  CHECK(*waiting.answer() == 9);
  CHECK(closing.error() == 0);
  CHECK(f.content(p) == "begun here\nrest");
}

TEST_CASE("all that queues behind a waiting write is answered, in order") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  f.engine.set_full(true);
  std::vector<Awaited<size_t>> writes;
  for (auto text : {"one\n", "t", "w", "o\n", "three"}) writes.push_back(f.write(file, text));
  f.engine.set_full(false);
  for (auto& write : writes) CHECK(write.error() == 0);
  f.flush(file);
  CHECK(f.content(p) == "one\ntwo\nthree");
}

TEST_CASE("a write's memory is kept for a long unfinished line, and let go with it") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  auto memory = std::shared_ptr<std::byte>(new std::byte[kMaxWriteBytes], std::default_delete<std::byte[]>());
  const std::weak_ptr<std::byte> kept = memory;
  std::fill_n(memory.get(), kMaxWriteBytes, std::byte{'x'});
  WriteRequest request;
  request.bytes = {memory.get(), kMaxWriteBytes};
  request.memory = &memory;
  f.fs.write(file, request, {}, [](Answer<size_t> taken) { CHECK(*taken == kMaxWriteBytes); });
  CHECK_FALSE(memory);
  CHECK_FALSE(kept.expired());
  CHECK(f.write(file, "y\n").error() == 0);
  CHECK(kept.expired());
  CHECK(f.size(p) == static_cast<int64_t>(kMaxWriteBytes) + 2);
  CHECK(f.text(f.read(f.open(p, O_RDONLY), kMaxWriteBytes - 2)) == "xxy\n");
}

TEST_CASE("a file may be released as soon as its last request is answered") {
  Fixture f;  // a sanitizer sees what would be touched after that
  const Inode p = f.partition(f.topic());
  OpenFile &first = f.appender(p), &second = f.appender(p);
  WriteRequest request;
  request.bytes = as_byte_span("one\n");
  f.fs.write(first, request, {}, [&](Answer<size_t>) { f.fs.release(&first); });
  f.engine.set_full(true);
  f.fs.write(second, request, {}, [&](Answer<size_t>) { f.fs.release(&second); });
  f.engine.set_full(false);
  CHECK(f.content(p) == "one\none\n");
}

TEST_CASE("an interrupted write writes nothing, and the line before it is kept") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  f.write(file, "kept ");
  f.engine.set_full(true);
  Fixture::Armed armed;
  auto waiting = f.write(file, "dropped\n", {}, &armed);
  REQUIRE(armed.number != 0);
  f.fs.interrupt(armed.what, armed.number);
  f.time.run_until_idle();
  CHECK(waiting.error() == EINTR);
  f.engine.set_full(false);
  f.write(file, "line\n");
  CHECK(f.content(p) == "kept line\n");
}

TEST_CASE("an interrupted close or fsync waits no longer, and the unfinished line is appended when there is room") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  f.write(file, "unfinished");
  f.engine.set_full(true);
  auto interrupt = [&](const Fixture::Armed& armed) {
    REQUIRE(armed.number != 0);
    f.fs.interrupt(armed.what, armed.number);
    f.time.run_until_idle();
  };
  Fixture::Armed armed;
  auto syncing = f.sync(file, &armed);
  interrupt(armed);
  CHECK(syncing.error() == EINTR);
  armed = {};
  auto closing = f.flush(file, &armed);
  interrupt(armed);
  CHECK(closing.error() == EINTR);
  f.fs.release(&file);
  f.engine.set_full(false);
  CHECK(f.content(p) == "unfinished");
}

TEST_CASE("a full log tells O_NONBLOCK EAGAIN and, in time, everybody ENOSPC") {
  Fixture f;
  OpenFile& file = f.appender(f.partition(f.topic()));
  f.engine.set_full(true);
  WriteRequest nonblocking;
  nonblocking.wait = Wait::no;
  CHECK(f.write(file, "x\n", nonblocking).error() == EAGAIN);
  auto waiting = f.write(file, "y\n");
  f.engine.time_out_waiting();
  CHECK(waiting.error() == ENOSPC);
}

TEST_CASE("an unfinished line that could not be appended is kept and tried again") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  f.write(file, "tail");
  f.engine.fail_next_append({Errc::kTimedOut, 0, "full"});
  f.time.advance(5s);
  CHECK(f.content(p).empty());
  f.engine.fail_next_append({Errc::kTimedOut, 0, "full"});
  CHECK(f.flush(file).error() == ENOSPC);
  f.time.advance(5s);
  CHECK(f.content(p) == "tail");
}

TEST_CASE("a poisoned log fails write, fsync and close; reading goes on") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  f.write(file, "safe\nunfinished");
  f.engine.poison();
  CHECK(f.write(file, "x\n").error() == EIO);
  CHECK(f.sync(file).error() == EIO);
  CHECK(f.flush(file).error() == EIO);
  CHECK(f.content(p) == "safe\n");
}

TEST_CASE("an unfinished line beyond its bound is cut into records, and reads back the same") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  std::string all;
  for (int i = 0; i < 5; i++) {
    const std::string part(kMaxWriteBytes - 7, static_cast<char>('a' + i));
    CHECK(f.write(file, part).error() == 0);
    all += part;
  }
  CHECK(f.size(p) >= static_cast<int64_t>(all.size() - 2 * kMaxWriteBytes));
  f.flush(file);
  std::string back;
  OpenFile& reader = f.open(p, O_RDONLY);
  for (std::string part; !(part = f.text(f.read(reader, static_cast<int64_t>(back.size())))).empty();)
    back += part;
  CHECK((back == all));
}

// ---- reading

namespace {

/// Ten lines of ten bytes, of which retention has deleted the first four.
Inode with_deleted_head(Fixture& f) {
  const Inode p = f.partition(f.topic());
  for (int i = 0; i < 10; i++) f.append(p, "line " + std::to_string(i) + "...\n");
  f.engine.set_log_start(f.id(p), Offset(4));
  REQUIRE(f.engine.ends(f.id(p))->text_start == TextPosition(40));
  return p;
}

}  // namespace

TEST_CASE("who reads from 0 on gets what lives, all of it, and no zeros") {
  Fixture f;
  const Inode p = with_deleted_head(f);
  OpenFile& file = f.open(p, O_RDONLY);
  std::string all;
  for (std::string part; !(part = f.text(f.read(file, static_cast<int64_t>(all.size()), 7))).empty();)
    all += part;
  CHECK(all.size() == 60);
  CHECK(all.starts_with("line 4"));
  CHECK(all.find('\0') == std::string::npos);
  CHECK(f.text(f.read(file, 0, 6)) == "line 4");  // rewound
}

TEST_CASE("positions are stable for who reads elsewhere; below the log start are zeros, but for a read from 0 on") {
  Fixture f;
  const Inode p = with_deleted_head(f);
  OpenFile& file = f.open(p, O_RDONLY);
  CHECK(f.text(f.read(file, 90, 6)) == "line 9");
  CHECK(f.text(f.read(file, 10, 100)) == std::string(30, '\0'));
  CHECK(f.text(f.read(file, 40, 6)) == "line 4");
  CHECK(f.text(f.read(file, 100)).empty());
  CHECK(f.text(f.read(file, 0, 10)) == "line 4...\n");  // tail that found too few lines at the end
  CHECK(f.text(f.read(file, 10, 10)) == "line 5...\n");
  CHECK(f.text(f.read(file, 90, 6)) == "line 9");
  CHECK(f.text(f.read(file, 1'000'000)).empty());
}

TEST_CASE("deleted=hole shows zeros to who reads from 0 on, and finds data behind them") {
  Fixture f(Deleted::hole);
  const Inode p = with_deleted_head(f);
  OpenFile& file = f.open(p, O_RDONLY);
  CHECK(f.text(f.read(file, 0, 100)) == std::string(40, '\0'));
  CHECK(*f.fs.seek(file, 0, SEEK_DATA) == 40);
  CHECK(*f.fs.seek(file, 0, SEEK_HOLE) == 0);
  CHECK(*f.fs.seek(file, 50, SEEK_HOLE) == 100);
  CHECK(f.fs.seek(file, 100, SEEK_DATA).error().value == ENXIO);
}

TEST_CASE("without deleted=hole the kernel is left to seek") {
  Fixture f;
  CHECK(f.fs.seek(f.open(with_deleted_head(f), O_RDONLY), 0, SEEK_DATA).error().value == ENOSYS);
}

TEST_CASE("a sequential reader that retention overtakes goes on with what lives") {
  ReadPlace place(Deleted::skip);
  CHECK(place.find(0, TextPosition(0)) == TextPosition(0));
  place.advance(0, 10);
  CHECK(place.find(10, TextPosition(100)) == TextPosition(100));
  place.advance(10, 5);
  CHECK(place.find(15, TextPosition(100)) == TextPosition(105));
}

TEST_CASE("a follow file's read waits at the end until the partition grows") {
  Fixture f;
  const Inode topic = f.topic(), p = f.partition(topic);
  f.append(p, "old\n");
  const Inode follow = f.fs.lookup(topic, "0.follow")->inode;
  CHECK(f.try_open(follow, O_WRONLY | O_APPEND).error() == EPERM);
  OpenFile& file = f.open(follow, O_RDONLY);
  CHECK(f.text(f.read(file, 0)) == "old\n");
  CHECK(f.read(file, 4, 100, Wait::no).error() == EAGAIN);
  auto waiting = f.read(file, 4);
  f.time.run_until_idle();
  CHECK_FALSE(waiting.answered());
  f.append(p, "new\n");
  f.fs.on_visible(f.id(p));
  f.time.run_until_idle();
  CHECK(f.text(waiting) == "new\n");
}

TEST_CASE("a waiting read is woken by its own partition only, and can be interrupted more than once") {
  Fixture f;
  const Inode topic = f.topic(), p = f.partition(topic), other = f.make(topic, "1").answer()->inode;
  OpenFile& file = f.open(f.fs.lookup(topic, "0.follow")->inode, O_RDONLY);
  Fixture::Armed armed;
  auto waiting = f.read(file, 0, 100, Wait::yes, &armed);
  f.fs.on_visible(f.id(other));
  f.fs.on_visible(f.id(p));  // nothing has come: it waits again, under another number
  f.time.run_until_idle();
  CHECK_FALSE(waiting.answered());
  f.fs.interrupt(armed.what, armed.number);
  f.fs.interrupt(armed.what, armed.number);
  f.time.run_until_idle();
  CHECK(waiting.error() == EINTR);
}

TEST_CASE("a stopping mount ends waiting reads, and takes no more") {
  Fixture f;
  const Inode topic = f.topic();
  OpenFile& file = f.open(f.fs.lookup(topic, "0.follow")->inode, O_RDONLY);
  auto waiting = f.read(file, 0);
  auto second = f.read(file, 0);
  f.fs.stop();
  CHECK(waiting.error() == EINTR);
  CHECK(second.error() == EINTR);
}

TEST_CASE("the kernel's look-ups of a partition are counted until it forgets them") {
  Fixture f;
  const Inode topic = f.topic(), p = f.partition(topic);
  f.partition(topic);
  f.fs.forget(p, 1);
  CHECK(f.fs.nodes().find(f.id(p)));
  f.fs.forget(p, 1);
  CHECK_FALSE(f.fs.nodes().find(f.id(p)));
  f.fs.forget(p, 5);
}
