// Settings: one table names every setting of every program, and drives command line flags
// (--name VALUE, --name=VALUE), the environment (TOPICFS_NAME), the configuration file (name = value),
// mount options (-o name=value), --help and a test of the manual pages.
// What programs work with are the structs of base/options.h; this is where those come from.
#pragma once

#include <topicfs/result.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace topicfs {

enum class SettingType { text, path, boolean, choice, integer, bytes, duration, address, store_url };

/// Which programs read a setting; a mask.
enum class Program : unsigned { daemon = 1, gateway = 2 };

struct Setting {
  std::string_view name;  ///< "wal-segment-size"
  SettingType type;
  std::string_view default_value;  ///< "" : not set
  std::string_view choices;        ///< of SettingType::choice: "auto|yes|no"
  int64_t least, most;             ///< of numbers, bytes and durations (microseconds)
  unsigned programs;               ///< mask of Program
  std::string_view group;          ///< heading in --help
  std::string_view help;           ///< one or two sentences

  bool belongs_to(Program program) const { return programs & static_cast<unsigned>(program); }
};

/// All of them, by group.
std::span<const Setting> all_settings();
const Setting* find_setting(std::string_view name);  ///< nullptr: none
/// The setting with the most similar name, or "".
std::string_view similar_setting(std::string_view name);
/// What stands for the value in --help: "BYTES", "auto|yes|no".
std::string_view value_name(const Setting& setting);
/// "TOPICFS_WAL_SEGMENT_SIZE"
std::string environment_name(std::string_view setting);

/// Where a value came from; a later one wins over an earlier one.
enum class Origin { default_value, file, environment, command_line };

struct SettingValue {
  std::string text;
  Origin origin = Origin::default_value;
  std::string where;  ///< for people: "--pool-size", "/etc/topicfs.conf:7: pool-size"
};

/// The values of one program's start. Every value in it is valid for its setting alone.
class Settings {
 public:
  Settings();

  /// Valid, and not given already with another value by the same origin: two flags, or two lines of the
  /// file, that contradict each other are refused. kInvalidArgument; the message begins with `where`.
  Result<void> set(std::string_view name, std::string_view text, Origin origin, std::string where);

  const SettingValue& at(std::string_view name) const;
  bool is_set(std::string_view name) const { return !at(name).text.empty(); }
  bool is_default(std::string_view name) const { return at(name).origin == Origin::default_value; }

  // The value in its type. Asking for a setting that is not set, or has another type, is a bug.
  const std::string& text(std::string_view name) const { return at(name).text; }
  uint64_t bytes(std::string_view name) const;
  std::chrono::microseconds duration(std::string_view name) const;
  int64_t integer(std::string_view name) const;
  bool boolean(std::string_view name) const;

 private:
  std::map<std::string, SettingValue, std::less<>> values_;
};

/// Whether `text` is a value for `setting`; the error says what is.
Result<void> check_value(const Setting& setting, std::string_view text);

}  // namespace topicfs
