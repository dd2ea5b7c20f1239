#include <topicfs/completion.h>

#include <doctest/doctest.h>

#include <array>
#include <memory>

using namespace topicfs;

TEST_CASE("a completion owns what it captures and is called with the outcome") {
  auto shared = std::make_shared<int>(0);
  Completion<int> done = [shared](Result<int> r) { *shared = *r; };
  Completion<int> moved = std::move(done);
  CHECK_FALSE(done);
  moved(7);
  CHECK(*shared == 7);
  moved.reset();
  CHECK(shared.use_count() == 1);
}

TEST_CASE("a callable that is too large for the inline storage is kept all the same") {
  auto shared = std::make_shared<int>(0);
  std::array<char, 200> large{};
  large[199] = 3;
  Task task = [shared, large] { *shared += large[199]; };
  Task moved = std::move(task);
  moved();
  CHECK(*shared == 3);
  moved = nullptr;
  CHECK(shared.use_count() == 1);
}
