#include "ipc/frame.h"

#include <algorithm>

namespace topicfs::ipc {

bool is_verb(uint8_t byte) {
  auto within = [byte](Verb first, Verb last) {
    return byte >= static_cast<uint8_t>(first) && byte <= static_cast<uint8_t>(last);
  };
  return within(Verb::hello, Verb::list_groups) || within(Verb::failed, Verb::groups) ||
         within(Verb::welcome, Verb::durable);
}

Result<FrameHeader> decode_header(ByteSpan bytes, size_t max_bytes) {
  uint8_t verb = 0, zeros[3] = {};
  FrameHeader header;
  Reader reader(bytes.first(kFrameHeaderBytes));
  reader(header.length, verb, zeros[0], zeros[1], zeros[2], header.request);
  if (!is_verb(verb) || zeros[0] || zeros[1] || zeros[2])
    return fail(Errc::kCorrupt, "a frame of the gateway's socket has an impossible header");
  if (header.length > max_bytes)
    return fail(Errc::kCorrupt, "a frame of " + std::to_string(header.length) + " bytes on the gateway's socket");
  header.verb = static_cast<Verb>(verb);
  return header;
}

MutableByteSpan FrameBuffer::space() {
  if (begin_ > 0) {
    std::copy(bytes_.begin() + static_cast<ptrdiff_t>(begin_), bytes_.begin() + static_cast<ptrdiff_t>(end_),
              bytes_.begin());
    end_ -= std::exchange(begin_, 0);
  }
  if (bytes_.size() < end_ + kReadBytes) bytes_.resize(end_ + kReadBytes);
  return MutableByteSpan(bytes_).subspan(end_);
}

Result<std::optional<FrameBuffer::Frame>> FrameBuffer::next() {
  ByteSpan here = ByteSpan(bytes_).subspan(begin_, end_ - begin_);
  if (here.size() < kFrameHeaderBytes) return std::nullopt;
  TRY_ASSIGN(auto header, decode_header(here, max_frame_bytes_));
  if (here.size() < kFrameHeaderBytes + header.length) return std::nullopt;
  begin_ += kFrameHeaderBytes + header.length;
  return Frame{header, here.subspan(kFrameHeaderBytes, header.length)};
}

namespace detail {

size_t begin_frame(std::vector<std::byte>& out, Verb verb, uint64_t request) {
  auto begin = out.size();
  Writer writer(out);
  writer(uint32_t{0}, verb, uint8_t{0}, uint8_t{0}, uint8_t{0}, request);
  return begin;
}

void end_frame(std::vector<std::byte>& out, size_t begin) {
  auto length = static_cast<uint32_t>(out.size() - begin - kFrameHeaderBytes);
  std::memcpy(out.data() + begin, &length, sizeof length);
}

tl::unexpected<Error> bad_message() {
  return fail(Errc::kCorrupt, "a frame of the gateway's socket does not decode");
}

}  // namespace detail
}  // namespace topicfs::ipc
