// Request and response headers. Kafka protocol guide, KIP-482, KIP-511.
#pragma once

#include <optional>
#include <string_view>

#include "kafka/wire/reader.h"
#include "kafka/wire/writer.h"

namespace topicfs::kafka {

/// Size of the length prefix of a frame, and of what is read before memory is taken for the rest:
/// length, API key and version.
inline constexpr size_t kFrameSizeBytes = 4;
inline constexpr size_t kFramePeekBytes = 8;
/// Key, version and correlation id: no request is shorter.
inline constexpr size_t kMinRequestBytes = 8;

inline constexpr int16_t kApiVersionsKey = 18;

struct RequestHeader {
  int16_t api_key = 0;
  int16_t api_version = 0;
  int32_t correlation_id = 0;
  std::optional<std::string_view> client_id;  ///< views the request
};

/// Reads key, version, correlation id and client id. The client id keeps its classic length in
/// flexible versions; read_header_tags() skips what then follows it.
RequestHeader read_header(Reader& r);
void read_header_tags(Reader& r);

/// Begins a response frame; its length is filled in by end_response(). The header of a flexible
/// response ends with tagged fields, except that of ApiVersions, which clients must be able to
/// read before they know the version (KIP-511).
void begin_response(Writer& w, const RequestHeader& request, bool flexible);
void end_response(Writer& w);

}  // namespace topicfs::kafka
