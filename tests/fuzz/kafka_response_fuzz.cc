// Responses, which the gateway only writes: that their declarations read them back.
//   input    := response*
//   response := API key: 2 bytes, version: 2, size: 2, message
#include "fuzz/kafka_round_trip.h"

using namespace topicfs;
using namespace topicfs::kafka;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Reader input(ByteSpan(reinterpret_cast<const std::byte*>(data), size));
  while (input.remaining() > 0) {
    const int16_t key = input.int16(), version = input.int16();
    Reader r(input.take(input.uint16()));
    if (!input.ok()) return 0;
    Apis::for_each([&]<class A>(A) {
      typename A::Response response;
      if (A::key == key && A::valid.contains(version)) try_message(r, response, version);
    });
  }
  return 0;
}
