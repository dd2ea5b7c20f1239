#include "fixture.h"
#include "fuse/names_and_inodes.h"

using namespace topicfs;
using namespace topicfs::fuse;

TEST_CASE("an inode number says what it stands for, and no two are the same") {
  CHECK(meaning_of(kRootInode).kind == InodeKind::root);
  CHECK(meaning_of(kControlDirInode).kind == InodeKind::control_dir);
  CHECK(meaning_of(kStatusInode).kind == InodeKind::status);
  for (uint32_t n : {1u, 2u, 77u, 0x7fffffffu, 0xffffffffu}) {
    CHECK(meaning_of(inode_of(PartitionId(n))).kind == InodeKind::partition);
    CHECK(meaning_of(inode_of(PartitionId(n))).partition() == PartitionId(n));
    CHECK(meaning_of(inode_of(TopicNumber(n))).kind == InodeKind::topic);
    CHECK(meaning_of(inode_of(TopicNumber(n))).topic() == TopicNumber(n));
    CHECK(meaning_of(follow_inode_of(PartitionId(n))).kind == InodeKind::follow);
  }
  for (Inode other : {Inode{0}, Inode{4}, ~Inode{0}, Inode{4} << 32})
    CHECK(meaning_of(other).kind == InodeKind::unknown);
}

TEST_CASE("a partition's name is its number in one spelling only") {
  CHECK(parse_partition_name("0")->index == 0);
  CHECK(parse_partition_name("2147483647")->index == 2147483647);
  CHECK_FALSE(parse_partition_name("12")->follow);
  CHECK(parse_partition_name("12.follow")->follow);
  for (auto name : {"", "00", "01", "-0", "-1", "+1", " 1", "1 ", "0x1", "1.0", "2147483648", "4294967296",
                    "18446744073709551616", "a", ".follow", "01.follow", "1.follow.follow", "1\n"})
    CHECK_FALSE(parse_partition_name(name));
}

TEST_CASE("mkdir takes Kafka's names only, and only in the root") {
  Fixture f;
  CHECK(f.mkdir("orders").error() == 0);
  CHECK(f.mkdir("orders").error() == EEXIST);
  CHECK(f.mkdir("a b").error() == EINVAL);
  CHECK(f.mkdir(std::string(250, 'a')).error() == EINVAL);
  CHECK(f.mkdir(std::string(256, 'a')).error() == ENAMETOOLONG);
  CHECK(f.mkdir(".topicfs").error() == EEXIST);
  CHECK(f.mkdir("1", f.fs.lookup(kRootInode, "orders")->inode).error() == EPERM);
  CHECK(f.fs.lookup(kRootInode, std::string(256, 'a')).error().value == ENAMETOOLONG);
}

TEST_CASE("a topic and its partitions belong to who made them") {
  Fixture f;
  const Inode topic = f.topic();
  const struct stat t = *f.fs.attributes(topic), p = *f.fs.attributes(f.partition(topic));
  CHECK((t.st_uid == 10 && t.st_gid == 20 && t.st_mode == (S_IFDIR | 0755u)));
  CHECK((p.st_uid == 10 && p.st_gid == 20 && p.st_mode == (S_IFREG | 0644u)));
}

TEST_CASE("only the next partition can be made") {
  Fixture f;
  const Inode topic = f.topic();
  CHECK(f.make(topic, "0").error() == EEXIST);
  CHECK(f.make(topic, "2").error() == EINVAL);
  CHECK(f.make(topic, "one").error() == EPERM);
  CHECK(f.make(topic, "1.follow").error() == EPERM);
  CHECK(f.make(kRootInode, "1").error() == EPERM);
  const auto made = f.make(topic, "1");
  REQUIRE(made.error() == 0);
  CHECK((made.answer()->attributes.st_mode == (S_IFREG | 0640u)));
  CHECK(f.fs.lookup(topic, "1")->inode == made.answer()->inode);
}

TEST_CASE("in a topic with the set-group-ID bit a new partition gets the topic's group") {
  Fixture f;
  const Inode topic = f.topic();
  REQUIRE(f.change(topic, {.mode = 02775, .uid = {}, .gid = 4321, .size = {}, .modified = {}}).error() == 0);
  CHECK(f.make(topic, "1").answer()->attributes.st_gid == 4321);
}

TEST_CASE("who loses the race to create a partition is sent to look again, or told with O_EXCL") {
  Fixture f;
  const Inode topic = f.topic();
  Awaited<Created> again, exclusive;
  f.fs.create(topic, "0", 0644, O_WRONLY | O_CREAT, {}, again.reply());
  f.fs.create(topic, "0", 0644, O_WRONLY | O_CREAT | O_EXCL, {}, exclusive.reply());
  CHECK(again.error() == ESTALE);
  CHECK(exclusive.error() == EEXIST);
}

TEST_CASE("rmdir removes topics that never had data") {
  Fixture f;
  const Inode empty = f.topic("empty"), full = f.topic("full");
  f.append(f.partition(full), "x\n");
  Awaited<void> gone, kept, control, missing;
  f.fs.rmdir(kRootInode, "empty", gone.reply());
  f.fs.rmdir(kRootInode, "full", kept.reply());
  f.fs.rmdir(kRootInode, ".topicfs", control.reply());
  f.fs.rmdir(kRootInode, "missing", missing.reply());
  CHECK(gone.error() == 0);
  CHECK(kept.error() == ENOTEMPTY);
  CHECK(control.error() == EPERM);
  CHECK(missing.error() == ENOENT);
  CHECK(f.fs.attributes(empty)->st_nlink == 0);  // for who still has it open
}

TEST_CASE("a listing can go on behind any entry, also when others have come") {
  Fixture f;
  const Inode topic = f.topic();
  for (int i = 1; i < 20; i++) f.make(topic, std::to_string(i));
  OpenDir* dir = *f.fs.opendir(topic);
  std::vector<Listed> all;
  f.fs.list(*dir, 0, [&](const Listed& l) { return all.push_back(l), true; });
  REQUIRE(all.size() == 22);
  CHECK((all[0].name == "." && all[1].name == ".." && all[2].name == "0" && all[21].name == "19"));
  f.make(topic, "20");
  for (size_t from = 0; from < all.size(); from++) {
    size_t at = from;
    f.fs.list(*dir, all[from].cookie, [&](const Listed& l) {
      if (++at < all.size()) CHECK(l.name == all[at].name);
      return true;
    });
    CHECK(at == 22);
  }
  f.fs.closedir(dir);
}

TEST_CASE("the root lists its topics and .topicfs; a follow file is found and not listed") {
  Fixture f;
  const Inode b = f.topic("b"), a = f.topic("a");
  OpenDir* dir = *f.fs.opendir(kRootInode);
  std::vector<std::string> names;
  f.fs.list(*dir, 0, [&](const Listed& l) { return names.push_back(l.name), true; });
  CHECK(names == std::vector<std::string>{".", "..", ".topicfs", "b", "a"});
  f.fs.closedir(dir);
  CHECK(f.fs.lookup(a, "0.follow")->inode == follow_inode_of(f.id(f.partition(a))));
  CHECK(f.fs.lookup(b, "1.follow").error().value == ENOENT);
}
