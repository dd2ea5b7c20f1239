// topicfsctl verify and repair: what is damaged in a data directory and its store, and how to go on without it.
#pragma once

#include <string>

#include "ctl/report.h"
#include "io/file_system.h"
#include "object/object_store.h"

namespace topicfs::ctl {

/// Checks the log in `data_dir` ("": none) and every object in `store` (nullptr: none), and tells `report` what is
/// damaged and, at the end, what was checked. With both, the catalog is that of the data directory; with the store
/// alone, the store's own. An error means that something could not be checked.
Result<void> verify(FileSystem& fs, const std::string& data_dir, ObjectStore* store, Report& report);

enum class Cut {
  nothing,   ///< the log is not damaged
  refused,   ///< not confirmed
  done,
};

/// Asked once, when what will be lost has been reported.
using Confirm = std::function<bool(const std::string& question)>;

/// Cuts a damaged log where it ceases to be whole. What is cut off stays in DATA/cut-`stamp`, with a report.
Result<Cut> repair(FileSystem& fs, const std::string& data_dir, const std::string& stamp, Confirm confirm, Report& report);

}  // namespace topicfs::ctl
