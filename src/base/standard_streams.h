// Standard input and output of a process that goes on in the background.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace topicfs {

/// Both are /dev/null from now on, so that nobody who reads the one to its end waits for us. Standard error stays. Of the
/// calling thread's table of descriptors. Makes no memory: it may be called between fork(2) and exec(2).
inline void give_up_input_and_output() {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null) ::dup2(null.get(), STDIN_FILENO), ::dup2(null.get(), STDOUT_FILENO);
}

}  // namespace topicfs
