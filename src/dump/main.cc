// topicfs-dump(1): prints what topicfs wrote. Opens files and objects, and leads what they hold to standard output.

#include <signal.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "base/options.h"
#include "ctl/store_calls.h"
#include "dump/dump.h"
#include "io/posix_file_system.h"
#include "object/open_store.h"

namespace {

using namespace topicfs;
using namespace topicfs::dump;

constexpr int kExitFailure = 1, kExitUsage = 2, kExitDamaged = 3;

class FileSource final : public Source {
 public:
  FileSource(std::unique_ptr<File> file, uint64_t size) : file_(std::move(file)), size_(size) {}
  uint64_t size_bytes() const override { return size_; }
  Result<std::vector<std::byte>> read(uint64_t position, uint64_t bytes) override {
    std::vector<std::byte> into(bytes);
    TRY_ASSIGN(size_t got, file_->read_at(position, into));
    if (got < bytes) return fail(Errc::kCorrupt, "it is shorter than it says");
    return into;
  }

 private:
  std::unique_ptr<File> file_;
  uint64_t size_;
};

class ObjectSource final : public Source {
 public:
  ObjectSource(std::unique_ptr<ObjectStore> store, std::string key, uint64_t size)
      : store_(std::move(store)), key_(std::move(key)), size_(size) {}
  uint64_t size_bytes() const override { return size_; }
  Result<std::vector<std::byte>> read(uint64_t position, uint64_t bytes) override {
    std::vector<std::byte> all;
    while (all.size() < bytes) {
      uint64_t step = std::min<uint64_t>(bytes - all.size(), kStepBytes);
      TRY_ASSIGN(ObjectBytes part, ctl::get(*store_, key_, {position + all.size(), step}));
      all.insert(all.end(), part.bytes.begin(), part.bytes.end());
    }
    return all;
  }

 private:
  static constexpr uint64_t kStepBytes = 64 << 20;
  std::unique_ptr<ObjectStore> store_;
  std::string key_;
  uint64_t size_;
};

/// s3://BUCKET/PREFIX/objects/KEY: the store ends where the keys of topicfs begin.
Result<std::unique_ptr<Source>> open_object(const std::string& url, const S3Options& s3) {
  for (const char* kind : {"/objects/", "/checkpoints/"}) {
    size_t at = url.rfind(kind);
    if (at == std::string::npos) continue;
    std::string key = url.substr(at + 1);
    TRY_ASSIGN(auto store, open_store(url.substr(0, at), s3, system_clock()));
    TRY_ASSIGN(ObjectBytes tail, ctl::get_tail(*store, key, 1));
    uint64_t size = tail.object_size;
    return std::unique_ptr<Source>(std::make_unique<ObjectSource>(std::move(store), key, size));
  }
  return fail(Errc::kInvalidArgument, url + ": name an object, s3://BUCKET[/PREFIX]/objects/KEY or .../checkpoints/KEY");
}

Result<std::unique_ptr<Source>> open_source(const std::string& name, const S3Options& s3) {
  if (name.starts_with("s3://")) return open_object(name, s3);
  std::string path = name.starts_with("file:") ? name.substr(5) : name;
  auto files = make_posix_file_system();
  TRY_ASSIGN(auto file, files->open(path, OpenMode::read, SyncMethod::buffered));
  TRY_ASSIGN(uint64_t size, file->size());
  return std::unique_ptr<Source>(std::make_unique<FileSource>(std::move(file), size));
}

Result<void> dump_one(const std::string& name, const S3Options& s3, Detail detail, Printer& out) {
  TRY_ASSIGN(auto source, open_source(name, s3));
  return topicfs::dump::dump(*source, detail, out);
}

/// The worst that happened decides.
int dump_all(const std::vector<std::string>& names, const S3Options& s3, Detail detail, Form form) {
  Printer out(form, [](std::string_view line) { return std::fwrite(line.data(), 1, line.size(), stdout) == line.size(); });
  int status = 0;
  for (const std::string& name : names) {
    if (names.size() > 1) out.begin("source"), out.put("name", name), out.end();
    auto dumped = dump_one(name, s3, detail, out);
    if (std::fflush(stdout) != 0) return std::perror("topicfs-dump: cannot write the output"), kExitFailure;
    if (dumped) continue;
    std::fprintf(stderr, "topicfs-dump: %s: %s\n", name.c_str(), dumped.error().message().c_str());
    bool damaged = dumped.error().code == Errc::kCorrupt;
    if (dumped.error().code == Errc::kInvalidArgument) return kExitUsage;
    if (status != kExitFailure) status = damaged ? kExitDamaged : kExitFailure;
  }
  return status;
}

int run(int argc, char** argv) {
  CLI::App app{"topicfs-dump: prints log segments, objects and checkpoints of topicfs; see topicfs-dump(1)"};
  app.set_version_flag("--version", "topicfs-dump " TOPICFS_VERSION);
  std::vector<std::string> names;
  S3Options s3;
  bool json = false, records = false;
  app.add_flag("--json", json, "One JSON object a line");
  app.add_flag("--records", records, "Every record too");
  app.add_option("--s3-endpoint", s3.endpoint, "As of topicfs");
  app.add_option("--s3-region", s3.region, "As of topicfs");
  app.add_option("--s3-path-style", s3.path_style, "As of topicfs: auto, yes, no")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Choice>{{"auto", Choice::automatic}, {"yes", Choice::yes}, {"no", Choice::no}}));
  app.add_option("FILE", names, "A file, or the URL of an object on S3")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  return dump_all(names, s3, records ? Detail::records : Detail::batches, json ? Form::json : Form::text);
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_DFL);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "topicfs-dump: %s\n", error.what());
    return kExitFailure;
  }
}
