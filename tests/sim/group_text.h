// GroupText: a consumer group as the text that Remembered compares.
#pragma once

#include <fmt/core.h>

#include <map>
#include <sstream>
#include <string>

#include <topicfs/types.h>

namespace topicfs::sim {

struct GroupText {
  std::map<PartitionId, std::string> offsets;  ///< "offset:metadata"
  std::string members;

  std::string text() const {
    std::string all;
    for (const auto& [id, offset] : offsets) all += fmt::format("{}:{} ", id.v, offset);
    return all + members;
  }
  static GroupText parse(const std::string& text) {
    GroupText g;
    size_t at = text.find("generation");
    if (at != std::string::npos) g.members = text.substr(at);
    std::istringstream words(text.substr(0, at));
    for (std::string word; words >> word;) {
      size_t colon = word.find(':');
      g.offsets[PartitionId(static_cast<uint32_t>(std::stoul(word.substr(0, colon))))] = word.substr(colon + 1);
    }
    return g;
  }
};

}  // namespace topicfs::sim
