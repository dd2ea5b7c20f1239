#include "ctl/main_checks.h"

#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <iostream>

#include "base/setting_values.h"
#include "ctl/verify.h"
#include "io/posix_file_system.h"
#include "object/open_store.h"

namespace topicfs::ctl {
namespace {

constexpr int kExitWhole = 0, kExitFailure = 1, kExitUsage = 2, kExitDamaged = 3;

void print_line(const std::string& line) { std::printf("%s\n", line.c_str()); }

/// In place, below the lines.
void draw_bar(const std::string& text) {
  std::fflush(stdout);
  std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
  std::fflush(stderr);
}

Report make_report() {
  bool terminal = ::isatty(STDERR_FILENO) == 1;
  return Report(system_clock(), print_line, terminal ? Report::Print(draw_bar) : Report::Print());
}

int fail_with(const Error& error) {
  std::fflush(stdout);
  std::fprintf(stderr, "topicfsctl: %s\n", error.message().c_str());
  return error.code == Errc::kInvalidArgument ? kExitUsage : kExitFailure;
}

/// 20261125T224501Z
std::string stamp_of(WallMilliseconds now) {
  time_t seconds = static_cast<time_t>(now.count() / 1000);
  std::tm tm{};
  ::gmtime_r(&seconds, &tm);
  char text[32];
  return std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm) ? text : "now";
}

Result<std::unique_ptr<ObjectStore>> open_named_store(FileSystem& files, const CheckOptions& options) {
  std::string url = options.store_url;
  if (url.empty()) {
    // Where the daemon keeps it unless it is told otherwise.
    if (options.data_dir.empty() || !files.list(options.data_dir + "/store")) return std::unique_ptr<ObjectStore>();
    url = "file:" + options.data_dir + "/store";
  }
  TRY_ASSIGN(url, parse_store_url(url));
  // Opening a directory would make it.
  if (url.starts_with("file:")) TRY(files.list(url.substr(5)));
  return open_store(url, options.s3, system_clock());
}

bool ask(const std::string& question) {
  if (::isatty(STDIN_FILENO) != 1) {
    std::fflush(stdout);
    std::fprintf(stderr, "topicfsctl: nobody is there to confirm; --yes does without\n");
    return false;
  }
  std::printf("%s [yes/no] ", question.c_str());
  std::fflush(stdout);
  std::string answer;
  return std::getline(std::cin, answer) && answer == "yes";
}

}  // namespace

int run_verify(const CheckOptions& options) {
  auto files = make_posix_file_system();
  Report report = make_report();
  std::string data_dir = options.data_dir.empty() ? "" : absolute_path(options.data_dir);
  auto store = open_named_store(*files, options);
  if (!store) return fail_with(store.error());
  auto checked = verify(*files, data_dir, store->get(), report);
  if (!checked) return fail_with(checked.error());
  if (!*store) print_line("store: not checked; name it with --store URL");
  if (report.damages() == 0) return print_line("nothing is damaged"), kExitWhole;
  print_line(std::to_string(report.damages()) + (report.damages() == 1 ? " thing is damaged" : " things are damaged"));
  return kExitDamaged;
}

int run_repair(const CheckOptions& options) {
  auto files = make_posix_file_system();
  Report report = make_report();
  auto confirm = [&](const std::string& question) { return options.yes || ask(question); };
  auto cut = repair(*files, absolute_path(options.data_dir), stamp_of(system_clock().wall_now()), confirm, report);
  if (!cut) return fail_with(cut.error());
  switch (*cut) {
    case Cut::nothing: return print_line("nothing is to be repaired: topicfs starts with this log"), kExitWhole;
    case Cut::refused: return print_line("nothing was changed"), kExitDamaged;
    case Cut::done: return print_line("the log was cut; topicfs starts with what is left"), kExitWhole;
  }
  return kExitFailure;
}

}  // namespace topicfs::ctl
