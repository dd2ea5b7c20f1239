// The daemon's status for people. Knows no counter by name, so that new ones appear by themselves:
// nested objects become groups, and the end of a key says its unit (_bytes, _ms, _us, _ratio).
#pragma once

#include <topicfs/result.h>

#include <string>
#include <string_view>

namespace topicfs::ctl {

/// kCorrupt if `json` is not a JSON object.
Result<std::string> render_status(std::string_view json);

}  // namespace topicfs::ctl
