// The two XML documents that S3 sends us: a page of a listing, and an error.
#pragma once

#include <string>
#include <vector>

#include <topicfs/result.h>
#include <topicfs/types.h>

#include "object/object_store.h"

namespace topicfs::s3 {

struct ListPage {
  std::vector<ListedObject> objects;  ///< with the bucket's keys
  bool truncated = false;
  std::string next_token;  ///< not empty if truncated
};
/// kUnavailable: not a listing, or one that is truncated without saying how to go on.
Result<ListPage> parse_list_page(ByteSpan body);

struct ErrorDocument {
  std::string code, message, region;  ///< empty where the document has none, or is none
};
ErrorDocument parse_error_document(ByteSpan body);

}  // namespace topicfs::s3
