// The commands of topicfsctl that need no daemon: verify and repair, with their terminal.
#pragma once

#include <string>

#include "base/options.h"

namespace topicfs::ctl {

struct CheckOptions {
  std::string data_dir, store_url;
  S3Options s3;
  bool yes = false;  ///< repair without asking
};

/// Both answer the exit status: topicfsctl(1).
int run_verify(const CheckOptions& options);
int run_repair(const CheckOptions& options);

}  // namespace topicfs::ctl
