#include "engine/bucket.h"

#include "base/log.h"
#include "base/planted_bug.h"
#include "base/random.h"

namespace topicfs {
namespace {

constexpr int kMaxClaims = 16;

/// A small text that stays where it is until the put is done.
void put_text(ObjectStore& store, std::string key, std::string text, Overwrite overwrite, Completion<void> done) {
  auto kept = std::make_shared<std::string>(std::move(text));
  store.put(std::move(key), {as_byte_span(*kept)}, overwrite,
            [kept, done = std::move(done)](Result<void> r) mutable { done(std::move(r)); });
}

}  // namespace

void Bucket::read_identity(Completion<std::optional<Uuid>> done) {
  store_.get_tail(kIdentityKey, 256, [this, done = std::move(done)](Result<ObjectBytes> r) mutable {
    if (!r && r.error().code == Errc::kNotFound) return done(std::optional<Uuid>());
    if (!r) return done(tl::unexpected<Error>(std::move(r).error()));
    std::string text(as_text(r->bytes));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    Uuid id;
    if (!parse_uuid(text, id))
      return done(fail(Errc::kCorrupt, store_.url() + "/store does not hold a store's id: is this another program's bucket?"));
    done(std::optional<Uuid>(id));
  });
}

void Bucket::write_identity(const Uuid& id, Completion<void> done) {
  auto again = [this, id, done = std::move(done)](Result<void> r) mutable {
    if (r || r.error().code != Errc::kUnsupported) return done(std::move(r));
    put_text(store_, kIdentityKey, to_string(id) + "\n", Overwrite::allow, std::move(done));
  };
  put_text(store_, kIdentityKey, to_string(id) + "\n", Overwrite::refuse, std::move(again));
}

void Bucket::claim_epoch(Completion<uint64_t> done) {
  store_.list(kEpochPrefix, "", [this, done = std::move(done)](Result<std::vector<ListedObject>> r) mutable {
    if (!r) return done(tl::unexpected<Error>(std::move(r).error()));
    uint64_t last = 0;
    for (const ListedObject& o : *r) last = std::max(last, parse_epoch_key(o.key).value_or(0));
    try_claim(last + 1, 1, std::move(done));
  });
}

void Bucket::try_claim(uint64_t epoch, int tries, Completion<uint64_t> done) {
  std::string key = epoch_key(epoch);
  auto claimed = [this, key, epoch, tries, done = std::move(done)](Result<void> r) mutable {
    if (r) return done(epoch);
    if (r.error().code == Errc::kExists && tries < kMaxClaims) return try_claim(epoch + 1, tries + 1, std::move(done));
    if (r.error().code != Errc::kUnsupported) return done(tl::unexpected<Error>(std::move(r).error()));
    put_text(store_, key, "\n", Overwrite::allow, [epoch, done = std::move(done)](Result<void> put) mutable {
      if (put) done(epoch);
      else done(tl::unexpected<Error>(std::move(put).error()));
    });
  };
  put_text(store_, key, "\n", planted(PlantedBug::skip_epoch_check) ? Overwrite::allow : Overwrite::refuse, std::move(claimed));
}

void Bucket::find_newest_checkpoint(Completion<std::optional<ListedCheckpoint>> done) {
  store_.list(kCheckpointPrefix, "", [this, done = std::move(done)](Result<std::vector<ListedObject>> r) mutable {
    if (!r) return done(tl::unexpected<Error>(std::move(r).error()));
    if (r->empty()) return done(std::optional<ListedCheckpoint>());
    const ListedObject& newest = r->back();
    auto name = parse_checkpoint_key(newest.key);
    if (!name || newest.size > kMaxCheckpointBytes)
      return done(fail(Errc::kCorrupt, store_.url() + "/" + newest.key + " is not a checkpoint's name or size"));
    done(std::optional<ListedCheckpoint>({newest.key, *name, newest.size}));
  });
}

void Bucket::read_state(const Uuid& store, Completion<BucketState> done) {
  find_newest_checkpoint([this, store, done = std::move(done)](Result<std::optional<ListedCheckpoint>> newest) mutable {
    if (!newest) return done(tl::unexpected<Error>(std::move(newest).error()));
    if (!*newest) return list_newer({}, std::move(done));
    std::string key = (*newest)->key;
    auto read = [this, store, key, done = std::move(done)](Result<ObjectBytes> got) mutable {
      if (!got) return done(tl::unexpected<Error>(std::move(got).error()));
      auto checkpoint = decode_checkpoint(got->bytes);
      if (!checkpoint) return done(fail(checkpoint.error().code, store_.url() + "/" + key + ": " + checkpoint.error().what));
      if (checkpoint->store != store) return done(fail(Errc::kCorrupt, key + " is another store's checkpoint"));
      BucketState state;
      state.checkpoint = std::move(*checkpoint);
      list_newer(std::move(state), std::move(done));
    };
    store_.get(key, {0, (*newest)->size_bytes}, std::move(read));
  });
}

/// Objects that were put after the checkpoint: numbered on from it without a gap, or something is missing.
void Bucket::list_newer(BucketState state, Completion<BucketState> done) {
  std::string after = state.checkpoint ? object_key(state.checkpoint->epoch, state.checkpoint->sequence) : "";
  auto kept = std::make_shared<BucketState>(std::move(state));
  store_.list(kObjectPrefix, after, [this, kept, done = std::move(done)](Result<std::vector<ListedObject>> r) mutable {
    if (!r) return done(tl::unexpected<Error>(std::move(r).error()));
    for (const ListedObject& o : *r) {
      auto name = parse_key(o.key, kObjectPrefix);
      if (!name) return done(fail(Errc::kCorrupt, store_.url() + "/" + o.key + " is not an object's name"));
      uint64_t expected = kept->checkpoint ? kept->checkpoint->sequence + kept->newer.size() + 1 : 0;
      if (!kept->checkpoint || name->epoch != kept->checkpoint->epoch || name->sequence != expected)
        return done(fail(Errc::kCorrupt, store_.url() + "/" + o.key +
                                             " does not follow the newest checkpoint: something is missing from the "
                                             "bucket, or its listing is incomplete; nothing was changed"));
      kept->newer.push_back({o.key, name->epoch, name->sequence, o.size});
    }
    done(std::move(*kept));
  });
}

}  // namespace topicfs
