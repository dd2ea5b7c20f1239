// The verbs of an object store, waited for: tools have nothing else to do meanwhile.
#pragma once

#include <future>

#include "object/object_store.h"

namespace topicfs::ctl {

inline Result<ObjectBytes> get(ObjectStore& store, const std::string& key, ObjectRange range) {
  std::promise<Result<ObjectBytes>> answered;
  store.get(key, range, [&](Result<ObjectBytes> r) { answered.set_value(std::move(r)); });
  return answered.get_future().get();
}

inline Result<ObjectBytes> get_tail(ObjectStore& store, const std::string& key, uint64_t max_bytes) {
  std::promise<Result<ObjectBytes>> answered;
  store.get_tail(key, max_bytes, [&](Result<ObjectBytes> r) { answered.set_value(std::move(r)); });
  return answered.get_future().get();
}

inline Result<std::vector<ListedObject>> list(ObjectStore& store, const std::string& prefix) {
  std::promise<Result<std::vector<ListedObject>>> answered;
  store.list(prefix, "", [&](Result<std::vector<ListedObject>> r) { answered.set_value(std::move(r)); });
  return answered.get_future().get();
}

}  // namespace topicfs::ctl
