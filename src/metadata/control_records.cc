#include "metadata/control_records.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "base/random.h"

namespace topicfs {
namespace {

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;
using Json = rapidjson::Value;

// ---- writing

class Object {
 public:
  explicit Object(JsonWriter& w) : w_(w) { w_.StartObject(); }
  ~Object() { w_.EndObject(); }
  Object(const Object&) = delete;
  void key(std::string_view k) { w_.Key(k.data(), static_cast<rapidjson::SizeType>(k.size())); }
  void put(std::string_view k, std::string_view v) {
    key(k);
    w_.String(v.data(), static_cast<rapidjson::SizeType>(v.size()));
  }
  void put(std::string_view k, uint64_t v) { key(k), w_.Uint64(v); }
  void put(std::string_view k, int64_t v) { key(k), w_.Int64(v); }
  void put(std::string_view k, const Ownership& o) {
    key(k);
    Object inner(w_);
    inner.put("uid", uint64_t{o.uid}), inner.put("gid", uint64_t{o.gid}), inner.put("mode", uint64_t{o.mode});
  }

 private:
  JsonWriter& w_;
};

void write_partitions(JsonWriter& w, Object& o, const std::vector<PartitionInfo>& partitions) {
  o.key("partitions");
  w.StartArray();
  for (const PartitionInfo& p : partitions) {
    Object part(w);
    part.put("id", uint64_t{p.id.v});
    part.put("owner", p.ownership);
    part.put("created", p.created.count());
    part.put("changed", p.changed.count());
  }
  w.EndArray();
}

void write_settings(JsonWriter& w, Object& o, const TopicSettings& settings) {
  o.key("settings");
  Object inner(w);
  for (const auto& [name, value] : settings) inner.put(name, value);
}

void write_topic(JsonWriter& w, Object& o, const TopicInfo& t) {
  o.put("topic", to_string(t.id));
  o.put("number", uint64_t{t.number.v});
  o.put("name", t.name);
  o.put("owner", t.ownership);
  o.put("created", t.created.count());
  o.put("changed", t.changed.count());
  write_settings(w, o, t.settings);
  write_partitions(w, o, t.partitions);
}

struct Encoder {
  JsonWriter& w;
  void operator()(const TopicCreated& r) const {
    Object o(w);
    o.put("type", "topic-created");
    write_topic(w, o, r.topic);
  }
  void operator()(const PartitionsAdded& r) const {
    Object o(w);
    o.put("type", "partitions-added");
    o.put("topic", to_string(r.topic));
    write_partitions(w, o, r.partitions);
  }
  void operator()(const TopicDeleted& r) const {
    Object o(w);
    o.put("type", "topic-deleted");
    o.put("topic", to_string(r.topic));
  }
  void operator()(const SettingsChanged& r) const {
    Object o(w);
    o.put("type", "settings-changed");
    o.put("topic", to_string(r.topic));
    o.put("changed", r.changed.count());
    write_settings(w, o, r.settings);
  }
  void operator()(const OwnershipChanged& r) const {
    Object o(w);
    o.put("type", "ownership-changed");
    o.put("topic", to_string(r.topic));
    if (r.partition) o.put("partition", uint64_t{r.partition->v});
    o.put("owner", r.ownership);
    o.put("changed", r.changed.count());
  }
  void operator()(const Offloaded& r) const {
    Object o(w);
    o.put("type", "offloaded");
    o.put("key", r.object.key);
    o.put("epoch", r.object.epoch);
    o.put("sequence", r.object.sequence);
    o.put("from", r.object.from.v);
    o.put("to", r.object.to.v);
    o.put("size", r.object.size_bytes);
    o.put("footer_crc", uint64_t{r.object.footer_crc});
  }
  void operator()(const LogStartsMoved& r) const {
    Object o(w);
    o.put("type", "log-starts-moved");
    o.key("partitions");
    w.StartArray();
    for (const LogStart& s : r.starts) {
      Object part(w);
      part.put("partition", uint64_t{s.partition.v});
      part.put("offset", s.offset.v);
      part.put("text", s.text.v);
    }
    w.EndArray();
  }
  void operator()(const GroupRecord&) const {}  // has an encoder of its own
};

// ---- reading: the first thing that does not fit is remembered, and everything after it is empty

class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) {
    if (!json.IsObject()) problem_ = "not an object";
  }
  const Json* find(const char* name, bool required = true) {
    if (!problem_.empty()) return nullptr;
    auto it = json_.FindMember(name);
    if (it != json_.MemberEnd()) return &it->value;
    if (required) problem_ = std::string("no ") + name;
    return nullptr;
  }
  std::string text(const char* name) {
    const Json* v = find(name);
    if (v && v->IsString()) return {v->GetString(), v->GetStringLength()};
    return wrong(name), std::string();
  }
  uint64_t number(const char* name, uint64_t most = UINT64_MAX) {
    const Json* v = find(name);
    if (v && v->IsUint64() && v->GetUint64() <= most) return v->GetUint64();
    return wrong(name), 0;
  }
  uint32_t number32(const char* name) { return static_cast<uint32_t>(number(name, UINT32_MAX)); }
  WallMilliseconds time(const char* name) {
    const Json* v = find(name);
    if (v && v->IsInt64()) return WallMilliseconds(v->GetInt64());
    return wrong(name), WallMilliseconds(0);
  }
  Uuid uuid(const char* name) {
    Uuid id;
    if (std::string s = text(name); problem_.empty() && !parse_uuid(s, id)) wrong(name);
    return id;
  }
  Ownership ownership(const char* name) {
    Ownership o;
    if (const Json* v = find(name)) {
      Fields inner(*v);
      o = {inner.number32("uid"), inner.number32("gid"), static_cast<uint32_t>(inner.number("mode", 07777))};
      if (!inner.problem_.empty()) problem_ = std::string(name) + ": " + inner.problem_;
    }
    return o;
  }
  TopicSettings settings(const char* name) {
    TopicSettings settings;
    const Json* v = find(name);
    if (!v) return settings;
    if (!v->IsObject()) return wrong(name), settings;
    for (const auto& m : v->GetObject()) {
      if (!m.value.IsString()) return wrong(name), settings;
      settings.emplace(m.name.GetString(), m.value.GetString());
    }
    return settings;
  }
  std::vector<PartitionInfo> partitions(const char* name) {
    std::vector<PartitionInfo> all;
    const Json* v = find(name);
    if (!v) return all;
    if (!v->IsArray() || v->Size() > static_cast<size_t>(kMaxPartitionsPerTopic)) return wrong(name), all;
    for (const Json& one : v->GetArray()) {
      Fields f(one);
      all.push_back({PartitionId(f.number32("id")), f.ownership("owner"), f.time("created"), f.time("changed")});
      if (!f.problem_.empty()) return problem_ = std::string(name) + ": " + f.problem_, all;
    }
    return all;
  }
  std::vector<LogStart> log_starts(const char* name) {
    std::vector<LogStart> all;
    const Json* v = find(name);
    if (!v) return all;
    if (!v->IsArray() || v->Size() > kMaxMovedLogStarts) return wrong(name), all;
    for (const Json& one : v->GetArray()) {
      Fields f(one);
      all.push_back({PartitionId(f.number32("partition")), Offset(static_cast<int64_t>(f.number("offset", INT64_MAX))),
                     TextPosition(static_cast<int64_t>(f.number("text", INT64_MAX)))});
      if (!f.problem_.empty()) return problem_ = std::string(name) + ": " + f.problem_, all;
    }
    return all;
  }
  TopicInfo topic() {
    TopicInfo t;
    t.id = uuid("topic");
    t.number = TopicNumber(number32("number"));
    t.name = text("name");
    if (problem_.empty() && !is_valid_topic_name(t.name)) wrong("name");
    t.ownership = ownership("owner");
    t.created = time("created"), t.changed = time("changed");
    t.settings = settings("settings");
    t.partitions = partitions("partitions");
    return t;
  }
  void wrong(const char* name) {
    if (problem_.empty()) problem_ = std::string(name) + " is not what it should be";
  }
  const std::string& problem() const { return problem_; }

 private:
  const Json& json_;
  std::string problem_;
};

Result<ControlRecord> decode_fields(Fields& f, std::string_view json) {
  std::string type = f.text("type");
  ControlRecord record;
  if (type == "topic-created") {
    record = TopicCreated{f.topic()};
  } else if (type == "partitions-added") {
    record = PartitionsAdded{f.uuid("topic"), f.partitions("partitions")};
  } else if (type == "topic-deleted") {
    record = TopicDeleted{f.uuid("topic")};
  } else if (type == "settings-changed") {
    record = SettingsChanged{f.uuid("topic"), f.settings("settings"), f.time("changed")};
  } else if (type == "ownership-changed") {
    OwnershipChanged r{f.uuid("topic"), {}, f.ownership("owner"), f.time("changed")};
    if (f.find("partition", false)) r.partition = PartitionId(f.number32("partition"));
    record = r;
  } else if (type == "offloaded") {
    record = Offloaded{{f.text("key"), f.number("epoch"), f.number("sequence"), {f.number("from")}, {f.number("to")},
                        f.number("size"), f.number32("footer_crc")}};
  } else if (type == "log-starts-moved") {
    record = LogStartsMoved{f.log_starts("partitions")};
  } else if (f.problem().empty()) {
    TRY_ASSIGN(auto of_group, decode_group_record(json));
    if (of_group) return ControlRecord(std::move(*of_group));
    return fail(Errc::kUnsupported, "a control record of type '" + type + "' is not known: a newer topicfs wrote it");
  }
  if (!f.problem().empty()) return fail(Errc::kCorrupt, "a control record is damaged: " + f.problem());
  return record;
}

}  // namespace

std::string encode(const ControlRecord& record) {
  if (auto* of_group = std::get_if<GroupRecord>(&record)) return encode_group_record(*of_group);
  rapidjson::StringBuffer buffer;
  JsonWriter writer(buffer);
  std::visit(Encoder{writer}, record);
  return {buffer.GetString(), buffer.GetSize()};
}

std::string encode_topic(const TopicInfo& topic) { return encode(TopicCreated{topic}); }

Result<ControlRecord> decode_control_record(std::string_view json) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError()) return fail(Errc::kCorrupt, "a control record is not JSON");
  Fields fields(document);
  return decode_fields(fields, json);
}

}  // namespace topicfs
