// StoreCheck: a store's objects against the catalog that names them, and the store's own catalog. Reads all of every
// object; writes nothing.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/known_catalog.h"
#include "ctl/report.h"
#include "object/format.h"
#include "object/object_store.h"

namespace topicfs::ctl {

class StoreCheck {
 public:
  StoreCheck(ObjectStore& store, Report& report) : store_(store), report_(report) {}

  /// Whose store it is: kNotFound, kCorrupt.
  Result<Uuid> identity();
  /// The newest checkpoint in the store, checked. Nothing if there is none, or a damaged one, which is reported.
  Result<std::optional<Checkpoint>> newest_checkpoint(const Uuid& id);
  /// Adds to a catalog made of that checkpoint the objects behind it, as a recovery from the store alone would.
  Result<void> adopt_newer(KnownCatalog& catalog, const Checkpoint& checkpoint);
  /// Every object that `catalog` names, and those that it does not. `ends`: where each partition ends in the log, if
  /// it is known. An error means that the store could not be asked; damage goes to the report.
  Result<void> check(KnownCatalog& catalog, const std::map<PartitionId, Offset>& ends);

  uint64_t objects() const { return objects_; }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Claim {
    PartitionId partition;
    Extent extent;
  };
  Result<void> check_object(const KnownCatalog::Object& object, uint64_t size, KnownCatalog& catalog);
  Result<Footer> read_footer(const std::string& key);
  Result<void> replay_control(const std::string& key, const Footer& footer, KnownCatalog& catalog);
  void check_facts(const StoredObject& object, const Footer& footer);
  Result<void> check_blocks(const std::string& key, const Footer& footer, const KnownCatalog& catalog);
  void check_block(const std::string& key, const BlockEntry& entry, ByteSpan bytes, const KnownCatalog& catalog);
  void check_extents(const KnownCatalog& catalog);
  void compare_extents(uint32_t index, const Footer& footer, const KnownCatalog& catalog, const std::string& key);
  void extend(const Footer& footer, KnownCatalog& catalog, const std::string& key);

  ObjectStore& store_;
  Report& report_;
  std::vector<Gap> gaps_;
  std::map<uint32_t, std::vector<Claim>> claims_;  // of the checkpoint, by object
  uint64_t objects_ = 0, bytes_ = 0;
};

}  // namespace topicfs::ctl
