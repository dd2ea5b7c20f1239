// The topics of a mount as a table, from the mount's own directories: what ls and stat say, summed up.
#pragma once

#include <topicfs/result.h>

#include <string>

namespace topicfs::ctl {

/// One line per topic, by name: partitions, bytes of text, time of the last append. kNotFound, kIo.
Result<std::string> render_topics(const std::string& mountpoint);

}  // namespace topicfs::ctl
