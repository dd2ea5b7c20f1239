#include "object/s3/xml.h"

#include <charconv>
#include <pugixml.hpp>

#include "object/s3/uri.h"

namespace topicfs::s3 {
namespace {

tl::unexpected<Error> malformed(const char* why) {
  return fail(Errc::kUnavailable, std::string("the server's listing ") + why);
}

/// For messages: one short line.
std::string tidy(std::string_view text) {
  std::string line(text.substr(0, 300));
  for (char& c : line) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

}  // namespace

Result<ListPage> parse_list_page(ByteSpan body) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8))
    return malformed("is not XML");
  pugi::xml_node root = document.child("ListBucketResult");
  if (!root) return malformed("is some other document");
  bool encoded = std::string_view(root.child_value("EncodingType")) == "url";
  ListPage page;
  for (pugi::xml_node node : root.children("Contents")) {
    ListedObject object;
    std::string_view key = node.child_value("Key"), size = node.child_value("Size");
    if (encoded) {
      auto decoded = percent_decode(key);
      if (!decoded) return malformed("has a malformed key");
      object.key = std::move(*decoded);
    } else {
      object.key = key;
    }
    auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size);
    if (object.key.empty() || error != std::errc() || end != size.data() + size.size())
      return malformed("has an entry without key or size");
    page.objects.push_back(std::move(object));
  }
  std::string_view truncated = root.child_value("IsTruncated");
  if (truncated != "true" && truncated != "false") return malformed("does not say whether it is complete");
  page.truncated = truncated == "true";
  page.next_token = root.child_value("NextContinuationToken");
  if (page.truncated && page.next_token.empty()) return malformed("is truncated and does not say how to go on");
  return page;
}

ErrorDocument parse_error_document(ByteSpan body) {
  pugi::xml_document document;
  if (!document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8)) return {};
  pugi::xml_node root = document.child("Error");
  return {tidy(root.child_value("Code")), tidy(root.child_value("Message")), tidy(root.child_value("Region"))};
}

}  // namespace topicfs::s3
