#include "metadata/group_records.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <limits>

#include "codec/base64.h"

namespace topicfs {
namespace {

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;
using Json = rapidjson::Value;

// ---- writing

void put(JsonWriter& w, const char* name, std::string_view v) {
  w.Key(name);
  w.String(v.data(), static_cast<rapidjson::SizeType>(v.size()));
}

void put(JsonWriter& w, const char* name, int64_t v) {
  w.Key(name);
  w.Int64(v);
}

template <class T, class Write>
void put_array(JsonWriter& w, const char* name, const std::vector<T>& items, Write write) {
  w.Key(name);
  w.StartArray();
  for (const T& item : items) write(item);
  w.EndArray();
}

void write_offset(JsonWriter& w, const CommittedOffset& o) {
  w.StartObject();
  put(w, "partition", int64_t{o.partition.v});
  put(w, "offset", o.offset.v);
  put(w, "committed", o.committed.count());
  if (o.leader_epoch >= 0) put(w, "epoch", int64_t{o.leader_epoch});
  if (!o.metadata.empty()) put(w, "metadata", o.metadata);
  w.EndObject();
}

void write_member(JsonWriter& w, const GroupMember& m) {
  w.StartObject();
  put(w, "member", m.id);
  if (m.instance_id) put(w, "instance", *m.instance_id);
  put(w, "client", m.client_id);
  put(w, "host", m.client_host);
  put(w, "session_timeout_ms", int64_t{m.session_timeout_ms});
  put(w, "rebalance_timeout_ms", int64_t{m.rebalance_timeout_ms});
  put(w, "subscription", to_base64(m.subscription));
  put(w, "assignment", to_base64(m.assignment));
  w.EndObject();
}

struct Encoder {
  JsonWriter& w;
  void operator()(const OffsetsCommitted& r) const {
    put(w, "type", "offsets-committed");
    put_array(w, "commits", r.commits, [this](const OffsetsCommitted::Commit& c) {
      w.StartObject();
      put(w, "group", c.group);
      put_array(w, "offsets", c.offsets, [this](const CommittedOffset& o) { write_offset(w, o); });
      w.EndObject();
    });
  }
  void operator()(const OffsetsDeleted& r) const {
    put(w, "type", "offsets-deleted");
    put(w, "group", r.group);
    put_array(w, "partitions", r.partitions, [this](PartitionId id) { w.Uint(id.v); });
  }
  void operator()(const GroupSaved& r) const {
    put(w, "type", "group-saved");
    put(w, "group", r.group);
    put(w, "protocol_type", r.state.protocol_type);
    put(w, "generation", int64_t{r.state.generation});
    put(w, "protocol", r.state.protocol);
    put(w, "leader", r.state.leader);
    put(w, "changed", r.state.changed.count());
    put_array(w, "members", r.state.members, [this](const GroupMember& m) { write_member(w, m); });
  }
  void operator()(const GroupDeleted& r) const {
    put(w, "type", "group-deleted");
    put(w, "group", r.group);
  }
};

// ---- reading: the first member that does not fit is remembered, and the record refused

struct Reading {
  std::string problem;

  void wrong(const char* name) {
    if (problem.empty()) problem = std::string(name) + " is not what it should be";
  }
  const Json* find(const Json& o, const char* name) {
    if (!o.IsObject()) return wrong(name), nullptr;
    auto at = o.FindMember(name);
    return at == o.MemberEnd() ? nullptr : &at->value;
  }
  std::optional<std::string> optional_text(const Json& o, const char* name) {
    const Json* v = find(o, name);
    if (!v) return std::nullopt;
    if (!v->IsString()) return wrong(name), std::nullopt;
    return std::string(v->GetString(), v->GetStringLength());
  }
  std::string text(const Json& o, const char* name) {
    auto v = optional_text(o, name);
    if (!v) wrong(name);
    return v.value_or("");
  }
  std::string bytes(const Json& o, const char* name) {
    auto v = from_base64(text(o, name));
    if (!v) wrong(name);
    return v.value_or("");
  }
  int64_t number(const Json& o, const char* name) {
    const Json* v = find(o, name);
    if (v && v->IsInt64()) return v->GetInt64();
    return wrong(name), 0;
  }
  int32_t number32(const Json& o, const char* name) {
    int64_t v = number(o, name);
    if (v < std::numeric_limits<int32_t>::min() || v > std::numeric_limits<int32_t>::max()) wrong(name);
    return static_cast<int32_t>(v);
  }
  PartitionId partition(const Json* v) {
    if (v && v->IsUint()) return PartitionId(v->GetUint());
    return wrong("partition"), PartitionId();
  }
  /// Calls `take` for each element.
  template <class Take>
  void array(const Json& o, const char* name, Take take) {
    const Json* v = find(o, name);
    if (!v || !v->IsArray()) return wrong(name);
    for (const Json& item : v->GetArray()) take(item);
  }
  CommittedOffset offset(const Json& o) {
    CommittedOffset out;
    out.partition = partition(find(o, "partition"));
    out.offset = Offset(number(o, "offset"));
    out.committed = WallMilliseconds(number(o, "committed"));
    if (find(o, "epoch")) out.leader_epoch = number32(o, "epoch");
    out.metadata = optional_text(o, "metadata").value_or("");
    return out;
  }
  GroupMember member(const Json& o) {
    GroupMember m;
    m.id = text(o, "member");
    m.instance_id = optional_text(o, "instance");
    m.client_id = text(o, "client"), m.client_host = text(o, "host");
    m.session_timeout_ms = number32(o, "session_timeout_ms");
    m.rebalance_timeout_ms = number32(o, "rebalance_timeout_ms");
    m.subscription = bytes(o, "subscription"), m.assignment = bytes(o, "assignment");
    return m;
  }
  OffsetsCommitted committed(const Json& o) {
    OffsetsCommitted r;
    array(o, "commits", [&](const Json& commit) {
      auto& c = r.commits.emplace_back();
      c.group = text(commit, "group");
      array(commit, "offsets", [&](const Json& item) { c.offsets.push_back(offset(item)); });
    });
    return r;
  }
  OffsetsDeleted offsets_deleted(const Json& o) {
    OffsetsDeleted r{text(o, "group"), {}};
    array(o, "partitions", [&](const Json& item) { r.partitions.push_back(partition(&item)); });
    return r;
  }
  GroupSaved saved(const Json& o) {
    GroupSaved r{text(o, "group"), {}};
    r.state.protocol_type = text(o, "protocol_type");
    r.state.generation = number32(o, "generation");
    r.state.protocol = text(o, "protocol"), r.state.leader = text(o, "leader");
    r.state.changed = WallMilliseconds(number(o, "changed"));
    array(o, "members", [&](const Json& item) { r.state.members.push_back(member(item)); });
    return r;
  }
};

}  // namespace

std::string encode_group_record(const GroupRecord& record) {
  rapidjson::StringBuffer buffer;
  JsonWriter writer(buffer);
  writer.StartObject();
  std::visit(Encoder{writer}, record);
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

Result<std::optional<GroupRecord>> decode_group_record(std::string_view json) {
  rapidjson::Document o;
  o.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (o.HasParseError()) return fail(Errc::kCorrupt, "a control record is not JSON");
  Reading r;
  std::string type = r.text(o, "type");
  std::optional<GroupRecord> record;
  if (type == "offsets-committed") record = r.committed(o);
  else if (type == "offsets-deleted") record = r.offsets_deleted(o);
  else if (type == "group-saved") record = r.saved(o);
  else if (type == "group-deleted") record = GroupDeleted{r.text(o, "group")};
  if (record && !r.problem.empty()) return fail(Errc::kCorrupt, "a control record is damaged: " + r.problem);
  return record;
}

}  // namespace topicfs
