#include <topicfs/catalog.h>

#include <doctest/doctest.h>

#include "base/random.h"

using namespace topicfs;

TEST_CASE("a uuid survives its text form, and other text is refused") {
  Uuid id = random_uuid(system_random()), back;
  CHECK(parse_uuid(to_string(id), back));
  CHECK(id == back);
  CHECK_FALSE(parse_uuid("", back));
  CHECK_FALSE(parse_uuid("zzzzzzzz-0000-0000-0000-000000000000", back));
  CHECK_FALSE(parse_uuid(to_string(id) + "0", back));
}

TEST_CASE("topic names follow Kafka's rules") {
  CHECK(is_valid_topic_name("orders"));
  CHECK(is_valid_topic_name("a.b_c-9"));
  CHECK(is_valid_topic_name(std::string(249, 'a')));
  for (auto bad : {"", ".", "..", "a b", "a/b", "\xc3\xa4", "a:b"}) CHECK_FALSE(is_valid_topic_name(bad));
  CHECK_FALSE(is_valid_topic_name(std::string(250, 'a')));
  CHECK(topic_names_collide("a.b", "a_b"));
  CHECK_FALSE(topic_names_collide("a.b", "a-b"));
}
