// One object on its way into the store. For the Offloader alone.
#pragma once

#include <memory>
#include <vector>

#include "engine/batch_gather.h"
#include "engine/offloader.h"
#include "object/object_builder.h"

namespace topicfs {

struct Offloader::Job {
  StoredObject object;
  MonotonicTime began{0};                            // when it was decided on
  Offset known;                                      // control records before it are told of by this object, or earlier ones
  uint64_t payload_end = 0;                          // of the log, at object.to
  std::unique_ptr<BatchGather> bytes;                // of its batches
  std::vector<StoredBatch> batches;                  // likewise, in the same order
  std::unique_ptr<ObjectBuilder> builder;
  BuiltObject built;
};

}  // namespace topicfs
