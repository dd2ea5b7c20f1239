#include "sim/plan.h"

#include <fmt/core.h>

#include <set>
#include <sstream>

#include "codec/crc32c.h"
#include "support/seeded_random.h"

namespace topicfs::sim {
namespace {

constexpr size_t kFirstTopics = 4;

struct Known {
  std::string_view name;
  uint32_t weight;  ///< how often it comes, against the others
};

// In the order of Kind.
constexpr Known kKnown[kKinds] = {
    {"append_text", 400}, {"append_batch", 200}, {"append_idempotent", 120}, {"burst", 8}, {"sync", 40},
    {"cancel", 8},        {"read_text", 60},
    {"fetch", 60},        {"verify", 4},         {"create_topic", 10}, {"add_partitions", 5}, {"change_settings", 6},
    {"change_owner", 6},  {"delete_topic", 3},   {"commit_offsets", 25}, {"delete_offsets", 4}, {"save_group", 6},
    {"delete_group", 3},  {"producer_ids", 6},   {"run", 60},          {"weather", 14},       {"outage", 2},
    {"clock_jump", 4},    {"late_put", 6},       {"disk_fault", 8},    {"power_cut", 10},     {"power_cut_soon", 12},
    {"kill", 8},          {"kill_then_cut", 8},  {"turn_over", 2},     {"restart", 5},        {"lose_disk", 2},
    {"second_writer", 3}, {"start_together", 3}, {"rot", 0},           {"lie", 0},
    {"delete_records", 14}, {"read_deleted", 8}, {"find_timestamp", 25}, {"set_retention", 5}, {"quiet_time", 4},
    {"fail_log", 4},
};

}  // namespace

std::string_view name_of(Kind kind) { return kKnown[static_cast<size_t>(kind)].name; }

/// Each seed has a character: some kinds come more often in it than in others, some never.
std::vector<Step> make_plan(uint64_t seed, size_t steps, size_t kinds) {
  testing::SeededRandom random(seed);
  uint32_t weights[kKinds], total = 0;
  for (size_t i = 0; i < kinds; i++) {
    constexpr uint32_t kFactors[] = {0, 1, 1, 1, 2, 4};
    bool always = i == static_cast<size_t>(Kind::append_text) || i == static_cast<size_t>(Kind::run);
    weights[i] = kKnown[i].weight * (always ? 1 : kFactors[random.below(6)]);
    total += weights[i];
  }
  std::vector<Step> plan;
  for (size_t i = 0; i < steps; i++) {
    if (i < kFirstTopics) {
      plan.push_back({Kind::create_topic, random.next(), i});
      continue;
    }
    uint64_t at = random.below(total);
    size_t kind = 0;
    while (at >= weights[kind]) at -= weights[kind++];
    plan.push_back({static_cast<Kind>(kind), random.next(), i});
  }
  if (random.percent(25)) plan.push_back({Kind::rot, random.next(), steps});
  else if (random.percent(35)) plan.push_back({Kind::lie, random.next(), steps});
  return plan;
}

uint32_t checksum_of(const std::vector<Step>& plan) {
  std::string text;
  for (const Step& s : plan) text += fmt::format("{} {} {}\n", s.number, name_of(s.kind), s.seed);
  return crc32c(as_byte_span(text));
}

std::string numbers_of(const std::vector<Step>& plan) {
  std::string all;
  for (size_t i = 0; i < plan.size();) {
    size_t last = i;
    while (last + 1 < plan.size() && plan[last + 1].number == plan[last].number + 1) last++;
    all += (all.empty() ? "" : ",") + std::to_string(plan[i].number);
    if (last > i) all += "-" + std::to_string(plan[last].number);
    i = last + 1;
  }
  return all;
}

std::vector<Step> only(std::vector<Step> plan, const std::string& numbers) {
  std::set<size_t> kept;
  std::istringstream in(numbers);
  for (std::string range; std::getline(in, range, ',');) {
    size_t dash = range.find('-'), first = std::stoul(range);
    size_t last = dash == std::string::npos ? first : std::stoul(range.substr(dash + 1));
    for (size_t i = first; i <= last && i <= plan.size(); i++) kept.insert(i);
  }
  std::erase_if(plan, [&](const Step& s) { return !kept.contains(s.number); });
  return plan;
}

}  // namespace topicfs::sim
