#include "ipc/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

#include "base/huge_pages.h"

namespace topicfs::ipc {

Result<SharedMemory> SharedMemory::create(const char* name, size_t size, Writers writers) {
  size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  size = (size + page - 1) / page * page;
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("cannot make memory to share with the gateway", errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    return fail_errno("cannot size memory to share with the gateway", errno);
  void* base = map_shared(fd.get(), size, PROT_READ | PROT_WRITE);
  if (base == MAP_FAILED) return fail_errno("cannot map memory to share with the gateway", errno);
  SharedMemory memory(std::move(fd), {static_cast<std::byte*>(base), size});
  // Our own mapping is older than the seal, and stays writable.
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | (writers == Writers::creator_only ? F_SEAL_FUTURE_WRITE : 0);
  if (::fcntl(memory.fd(), F_ADD_SEALS, seals | F_SEAL_SEAL) != 0)
    return fail_errno("cannot seal memory to share with the gateway", errno);
  return memory;
}

Result<SharedMemory> SharedMemory::map(UniqueFd fd, size_t size, Access access) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno("cannot inspect the daemon's memory", errno);
  if (static_cast<uint64_t>(status.st_size) < size || size == 0 || !(::fcntl(fd.get(), F_GET_SEALS) & F_SEAL_SHRINK))
    return fail(Errc::kInvalidArgument, "the daemon sent memory that is too small or may shrink");
  int protection = access == Access::read ? PROT_READ : PROT_READ | PROT_WRITE;
  void* base = map_shared(fd.get(), size, protection);
  if (base == MAP_FAILED) return fail_errno("cannot map the daemon's memory", errno);
  return SharedMemory(std::move(fd), {static_cast<std::byte*>(base), size});
}

SharedMemory::SharedMemory(SharedMemory&& o) noexcept : fd_(std::move(o.fd_)), bytes_(std::exchange(o.bytes_, {})) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& o) noexcept {
  std::swap(fd_, o.fd_);
  std::swap(bytes_, o.bytes_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

bool SharedMemory::contains(ByteSpan piece) const {
  auto at = reinterpret_cast<uintptr_t>(piece.data()), base = reinterpret_cast<uintptr_t>(bytes_.data());
  return at >= base && within(at - base, piece.size(), bytes_.size());
}

Result<UniqueFd> reopen_read_only(int fd) {
  UniqueFd again(::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC));
  if (!again) return fail_errno("cannot open the pool's memory for reading; is /proc mounted?", errno);
  return again;
}

}  // namespace topicfs::ipc
