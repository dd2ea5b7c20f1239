#include "ctl/verify.h"

#include <fmt/core.h>

#include "base/random.h"
#include "ctl/log_check.h"
#include "ctl/store_check.h"
#include "ctl/units.h"

namespace topicfs::ctl {
namespace {

std::string bytes(uint64_t n) { return human_bytes(static_cast<int64_t>(n)); }

void summarize(const LogCheck& log, Report& report) {
  const wal::LogScan& s = log.scan();
  report.say(fmt::format("log: {} segments, {} commits, {} batches, {} checked", s.used.size(), s.commits, s.entries,
                         bytes(s.bytes)));
}

void summarize(const StoreCheck& store, Report& report) {
  report.say(fmt::format("store: {} objects, {} checked", store.objects(), bytes(store.bytes())));
}

Result<void> verify_both(FileSystem& fs, const std::string& data_dir, ObjectStore* store, Report& report) {
  TRY_ASSIGN(HeldDirectory directory, hold_directory(fs, data_dir));
  LogCheck log(fs, directory, report);
  TRY(log.run());
  summarize(log, report);
  if (!store) return {};
  StoreCheck objects(*store, report);
  TRY_ASSIGN(Uuid id, objects.identity());
  if (id != directory.store)
    return fail(Errc::kInvalidArgument, fmt::format("{} belongs to store {}, but {} is store {}", data_dir,
                                                    to_string(directory.store), store->url(), to_string(id)));
  TRY(objects.newest_checkpoint(id));
  // Behind a damaged log, what it did not say about the store is no damage of the store.
  TRY(objects.check(log.catalog(), log.scan().damage ? std::map<PartitionId, Offset>() : log.ends()));
  summarize(objects, report);
  return {};
}

Result<void> verify_store(ObjectStore& store, Report& report) {
  StoreCheck objects(store, report);
  TRY_ASSIGN(Uuid id, objects.identity());
  TRY_ASSIGN(auto checkpoint, objects.newest_checkpoint(id));
  KnownCatalog catalog;
  if (checkpoint) {
    catalog.restore(*checkpoint);
    TRY(objects.adopt_newer(catalog, *checkpoint));
  }
  TRY(objects.check(catalog, {}));
  summarize(objects, report);
  return {};
}

Result<void> write_report(FileSystem& fs, const std::string& aside, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return write_file(fs, aside, "lost", as_byte_span(text));
}

}  // namespace

Result<void> verify(FileSystem& fs, const std::string& data_dir, ObjectStore* store, Report& report) {
  if (data_dir.empty() && !store) return fail(Errc::kInvalidArgument, "say what to check: --data-dir DIR, --store URL, or both");
  if (data_dir.empty()) return verify_store(*store, report);
  return verify_both(fs, data_dir, store, report);
}

Result<Cut> repair(FileSystem& fs, const std::string& data_dir, const std::string& stamp, Confirm confirm, Report& report) {
  TRY_ASSIGN(HeldDirectory directory, hold_directory(fs, data_dir));
  LogCheck log(fs, directory, report);
  TRY(log.run());
  summarize(log, report);
  const wal::LogScan& scan = log.scan();
  if (!scan.damage) return Cut::nothing;
  std::vector<std::string> lost = log.losses();
  report.say(fmt::format("Cutting the log at segment {} byte {} loses:", scan.end.segment(), scan.end.byte()));
  for (const std::string& line : lost) report.say("  " + line);
  if (lost.empty()) report.say("  nothing that can be named");
  if (wal::LogPosition stored = log.catalog().offloaded(); stored > scan.end)
    report.say(fmt::format("The store has the log up to segment {} byte {}: topicfs with an empty data directory recovers "
                           "that instead, and loses what is behind it.", stored.segment(), stored.byte()));
  std::string aside = data_dir + "/cut-" + stamp;
  if (!confirm("Cut it? What is cut off is kept in " + aside + ".")) return Cut::refused;
  std::vector<std::string> kept;
  TRY(wal::cut_log(fs, log.wal_directory(), directory.store, log.from(), scan, aside, kept));
  TRY(write_report(fs, aside, lost));
  for (const std::string& path : kept) report.say("kept " + path);
  return Cut::done;
}

}  // namespace topicfs::ctl
