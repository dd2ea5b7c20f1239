// Opens the object store that --store names.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/options.h"
#include "object/object_store.h"

namespace topicfs {

/// "file:DIR" or "s3://BUCKET[/PREFIX]". Blocks for the directory's lock, sends nothing to S3.
/// kInvalidArgument (another URL, a malformed one), kBusy (a directory that another process
/// uses), kDenied (no credentials in the environment, no permission), kIo. `clock` outlives the store.
Result<std::unique_ptr<ObjectStore>> open_store(const std::string& url, const S3Options& options, Clock& clock);

}  // namespace topicfs
