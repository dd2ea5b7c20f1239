#include <topicfs/result.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <string>

using namespace topicfs;

namespace {

Result<int> half(int n) {
  if (n % 2) return fail(Errc::kInvalidArgument, "odd");
  return n / 2;
}

Result<int> quarter(int n) {
  TRY_ASSIGN(int once, half(n));
  TRY(half(once));
  return half(once);
}

}  // namespace

TEST_CASE("TRY passes an error on and unwraps a value") {
  CHECK(*quarter(8) == 2);
  CHECK(quarter(6).error().code == Errc::kInvalidArgument);
  CHECK(quarter(7).error().what == "odd");
}

TEST_CASE("an errno becomes a code that callers can branch on, and a message for people") {
  Result<void> r = fail_errno("write /x", ENOSPC);
  CHECK(r.error().code == Errc::kNoSpace);
  CHECK(r.error().message() == "write /x: No space left on device");
}
