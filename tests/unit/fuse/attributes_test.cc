#include "fixture.h"

using namespace topicfs;
using namespace topicfs::fuse;

TEST_CASE("mode, owner and time of a partition can be changed") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  AttributeChange change;
  change.mode = 0100600, change.uid = 7, change.gid = 8,
  change.modified = WallMilliseconds(1'100'000'000'250);
  const auto now = f.change(p, change);
  REQUIRE(now.error() == 0);
  CHECK(
      (now.answer()->st_mode == (S_IFREG | 0600u) && now.answer()->st_uid == 7 && now.answer()->st_gid == 8));
  CHECK((now.answer()->st_mtim.tv_sec == 1'100'000'000 && now.answer()->st_mtim.tv_nsec == 250'000'000));
}

TEST_CASE("the time set on a topic holds until it gets another partition") {
  Fixture f;
  const Inode topic = f.topic();
  AttributeChange change;
  change.modified = WallMilliseconds(1'000);
  CHECK(f.change(topic, change).answer()->st_mtim.tv_sec == 1);
  f.make(topic, "1");
  CHECK(f.fs.attributes(topic)->st_mtim.tv_sec > 1'000'000);
}

TEST_CASE("a size can only be set to what it is") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  OpenFile& file = f.appender(p);
  f.write(file, "one\ntwo");
  auto truncate = [&](int64_t size, OpenFile* through) {
    AttributeChange change;
    change.size = size;
    return f.change(p, change, through).error();
  };
  CHECK(truncate(4, nullptr) == 0);
  CHECK(truncate(7, &file) == 0);  // its own unfinished line counts
  CHECK(truncate(0, nullptr) == EPERM);
  CHECK(truncate(7, nullptr) == EPERM);
  CHECK(truncate(100, &file) == EPERM);
}

TEST_CASE("the root and .topicfs keep owner, mode and times") {
  Fixture f;
  AttributeChange change;
  change.mode = 0777;
  for (Inode inode : {kRootInode, kControlDirInode, kStatusInode})
    CHECK(f.change(inode, change).error() == EPERM);
}

TEST_CASE("blocks tell what is retained, the size where the log ends") {
  Fixture f;
  const Inode p = f.partition(f.topic());
  for (int i = 0; i < 10; i++) f.append(p, std::string(999, 'x') + "\n");
  CHECK(f.size(p) == 10'000);
  const auto before = f.fs.attributes(p)->st_blocks;
  CHECK(before * 512 >= 10'000);
  f.engine.set_log_start(f.id(p), Offset(5));
  CHECK(f.size(p) == 10'000);
  CHECK(f.fs.attributes(p)->st_blocks < before);
}

TEST_CASE("a topic's settings are extended attributes; partitions have none") {
  Fixture f;
  const Inode topic = f.topic(), p = f.partition(topic);
  auto set = [&](Inode inode, std::string_view name, std::optional<std::string> value) {
    Awaited<void> done;
    f.fs.set_xattr(inode, name, std::move(value), done.reply());
    return done.error();
  };
  CHECK(set(topic, "user.kafka.retention.ms", "1000") == 0);
  CHECK(*f.fs.xattr(topic, "user.kafka.retention.ms") == "1000");
  CHECK(f.fs.xattr_names(topic)->find("user.kafka.retention.ms") != std::string::npos);
  CHECK(set(topic, "user.kafka.retention.ms", std::nullopt) == 0);
  CHECK(f.fs.xattr(topic, "user.kafka.retention.ms").error().value == ENODATA);
  CHECK(set(topic, "user.other", "x") == EOPNOTSUPP);
  CHECK(set(p, "user.other", "x") == EPERM);
  CHECK(set(p, "system.posix_acl_access", "x") == EOPNOTSUPP);
  CHECK(f.fs.xattr(p, "user.other").error().value == ENODATA);
  CHECK(f.fs.xattr(p, "security.capability").error().value == ENODATA);
  CHECK(f.fs.xattr(p, "system.posix_acl_access").error().value == EOPNOTSUPP);
}

TEST_CASE("status.json is a snapshot for each open, and read-only") {
  Fixture f;
  OpenFile& first = f.open(kStatusInode, O_RDONLY);
  f.topic("one");
  OpenFile& second = f.open(kStatusInode, O_RDONLY);
  CHECK(f.text(f.read(first, 0)) != f.text(f.read(second, 0)));
  const std::string all = f.text(f.read(second, 0));
  CHECK(f.text(f.read(second, 5, 3)) == all.substr(5, 3));
  CHECK(f.text(f.read(second, 100'000)).empty());
  CHECK(f.size(kStatusInode, &second) == static_cast<int64_t>(all.size()));
  CHECK(f.try_open(kStatusInode, O_WRONLY | O_APPEND).error() == EPERM);
}

TEST_CASE("statfs tells the disk's space and the longest name") {
  Fixture f;
  const auto space = f.fs.space();
  REQUIRE(space);
  CHECK(space->f_namemax == 255);
  CHECK((space->f_blocks > 0 && space->f_bavail <= space->f_blocks));
}

TEST_CASE("every engine error has an errno") {
  CHECK(errno_of(Errc::kWouldBlock) == EAGAIN);
  CHECK(errno_of(Errc::kCancelled) == EINTR);
  CHECK(errno_of(Errc::kTimedOut) == ENOSPC);
  CHECK(errno_of(Errc::kReadOnly) == EIO);
  for (int code = 0; code <= static_cast<int>(Errc::kClosed); code++)
    CHECK(errno_of(static_cast<Errc>(code)) > 0);
}
