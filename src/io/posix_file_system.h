// The real FileSystem and LogDevice: Linux system calls, and threads that wait in them.
#pragma once

#include "io/file_system.h"

namespace topicfs {

std::unique_ptr<FileSystem> make_posix_file_system();

/// Two threads take turns at commits, so that one writes while the other answers the appenders of
/// the commit before; `background_threads` run the tasks.
std::unique_ptr<LogDevice> make_threaded_log_device(int background_threads);

}  // namespace topicfs
