// What the directory store costs against the disk itself: PUT of 64 MiB objects gathered from
// small pieces, and GET of 1 MiB ranges. Usage: dir_store_bench [DIRECTORY [OBJECTS]]
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <semaphore>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "io/direct_file.h"
#include "object/dir/dir_store.h"

using namespace topicfs;

namespace {

constexpr size_t kObjectBytes = 64 << 20, kPieceBytes = 16'300, kRangeBytes = 1 << 20, kRawBytes = 1 << 20;

double now() { return std::chrono::duration<double>(system_clock().now()).count(); }
double cpu() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class Work>
void measure(const char* name, size_t bytes, Work work) {
  double start = now(), cpu_start = cpu();
  work();
  double seconds = now() - start, gigabytes = static_cast<double>(bytes) / 1e9;
  std::printf("%-44s %7.0f MB/s  %.2f CPU s/GB\n", name, gigabytes * 1000 / seconds, (cpu() - cpu_start) / gigabytes);
}

/// How much of the file is in the page cache.
size_t cached_bytes(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  MUST(fd >= 0);
  void* map = ::mmap(nullptr, kObjectBytes, PROT_READ, MAP_SHARED, fd, 0);
  MUST(map != MAP_FAILED);
  std::vector<unsigned char> pages(kObjectBytes / 4096);
  MUST(::mincore(map, kObjectBytes, pages.data()) == 0);
  size_t count = 0;
  for (unsigned char page : pages) count += page & 1;
  ::munmap(map, kObjectBytes);
  ::close(fd);
  return count * 4096;
}

/// The limit: aligned direct writes of the same size from one buffer, and one sync for each file.
void write_raw(const std::string& directory, int objects, bool direct) {
  DirectBuffers buffers;
  auto memory = buffers.take(kRawBytes);
  for (int i = 0; i < objects; i++) {
    std::string path = directory + "/raw" + std::to_string(i);
    int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | (direct ? O_DIRECT : 0), 0600);
    MUST(fd >= 0 && ::fallocate(fd, 0, 0, kObjectBytes) == 0);
    for (size_t at = 0; at < kObjectBytes; at += kRawBytes)
      MUST(::pwrite(fd, memory.get(), kRawBytes, static_cast<off_t>(at)) == kRawBytes);
    MUST(::fdatasync(fd) == 0);
    ::close(fd);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string directory = (argc > 1 ? argv[1] : "/tmp") + std::string("/dir-store-bench-") + std::to_string(::getpid());
  int objects = argc > 2 ? std::atoi(argv[2]) : 8;
  size_t total = static_cast<size_t>(objects) * kObjectBytes;
  auto store = DirStore::open(directory);
  MUST(store);
  std::vector<std::byte> source(kObjectBytes, std::byte{'x'});
  std::vector<ByteSpan> pieces;
  for (size_t at = 0; at < kObjectBytes; at += kPieceBytes)
    pieces.push_back(ByteSpan(source).subspan(at, std::min(kPieceBytes, kObjectBytes - at)));

  std::counting_semaphore<> done(0);
  auto put = [&](int i) {
    (*store)->put("o/" + std::to_string(i), pieces, Overwrite::allow, [&](Result<void> r) {
      MUST(r);
      done.release();
    });
  };
  measure("raw: O_DIRECT pwrite, fdatasync", total, [&] { write_raw(directory, objects, true); });
  measure("raw: buffered pwrite, fdatasync", total, [&] { write_raw(directory, objects, false); });
  measure("store: put, one at a time", total, [&] {
    for (int i = 0; i < objects; i++) put(i), done.acquire();
  });
  measure("store: put, all at once", total, [&] {
    for (int i = 0; i < objects; i++) put(i);
    for (int i = 0; i < objects; i++) done.acquire();
  });
  std::printf("of the last object, %zu bytes are in the page cache\n",
              cached_bytes(directory + "/o/" + std::to_string(objects - 1)));
  auto get_all = [&] {
    for (int i = 0; i < objects; i++) {
      for (size_t at = 0; at < kObjectBytes; at += kRangeBytes) {
        (*store)->get("o/" + std::to_string(i), {at, kRangeBytes}, [&](Result<ObjectBytes> r) {
          MUST(r);
          done.release();
        });
        done.acquire();
      }
    }
  };
  measure("store: get, 1 MiB at a time, from the disk", total, get_all);
  measure("store: get, 1 MiB at a time, once more", total, get_all);
  store->reset();
  std::filesystem::remove_all(directory);
  return 0;
}
