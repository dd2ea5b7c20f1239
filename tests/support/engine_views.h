// Both views of a partition of a RealEngine, read to their ends and held against the simulation's model.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/partition_model.h"
#include "support/real_engine.h"

namespace topicfs {

inline std::string read_from(RealEngine& e, PartitionId p, TextPosition from) {
  std::string all;
  for (;;) {
    auto r = RealEngine::wait_for<TextRead>(
        [&](auto done) { e->read_text(p, from + static_cast<int64_t>(all.size()), 1 << 20, std::move(done)); });
    REQUIRE_MESSAGE(r, (r ? "" : r.error().message()));
    if (r->text.size == 0) return all;
    for (ByteSpan piece : r->text.pieces) all += as_text(piece);
  }
}

inline std::vector<std::byte> fetch_from(RealEngine& e, PartitionId p, Offset from) {
  auto r = RealEngine::wait_for<Fetched>([&](auto done) { e->fetch(p, from, 1 << 20, std::move(done)); });
  REQUIRE_MESSAGE(r, (r ? "" : r.error().message()));
  std::vector<std::byte> all;
  for (ByteSpan piece : r->batches.pieces) all.insert(all.end(), piece.begin(), piece.end());
  return all;
}

/// They are what the model says.
inline void check_views(RealEngine& e, sim::PartitionModel& model) {
  auto ends = e->ends(model.id);
  REQUIRE(ends);
  CHECK(model.check_ends(*ends) == "");
  CHECK(ends->visible_end == model.end());
  std::string text = read_from(e, model.id, TextPosition(0));
  CHECK(model.check_text(TextPosition(0), text) == "");
  CHECK(TextPosition(static_cast<int64_t>(text.size())) == model.text_end());
  for (Offset at(0); at < ends->durable_end;) {
    auto batches = fetch_from(e, model.id, at);
    REQUIRE_FALSE(batches.empty());
    Offset end;
    REQUIRE(model.check_batches(at, batches, end) == "");
    at = end;
  }
}

}  // namespace topicfs
