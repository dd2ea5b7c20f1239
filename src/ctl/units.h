// Numbers as people read them: "1.5 MiB", "2.00 s", "1,234,567".
#pragma once

#include <cstdint>
#include <string>

namespace topicfs::ctl {

std::string with_separators(int64_t number);
std::string human_bytes(int64_t bytes);
/// Microseconds up to minutes and longer, with three digits or so.
std::string human_time(double microseconds);
/// At most two digits behind the point, and none that say nothing.
std::string human_number(double number);

}  // namespace topicfs::ctl
