"""tools/count_tests adds up what programs report, and makes no failure disappear."""

import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
TOOL = str(pathlib.Path(__file__).resolve().parents[3] / "tools" / "count_tests")
loader = importlib.machinery.SourceFileLoader("count_tests", TOOL)
count_tests = importlib.util.module_from_spec(importlib.util.spec_from_loader("count_tests", loader))
loader.exec_module(count_tests)

DOCTEST = "[doctest] test cases:  7 |  {} passed | {} failed | 0 skipped\n"


def count(result, stdout="", stderr="", ci=False):
    return str(count_tests.count_of({"name": "t", "result": result, "stdout": stdout, "stderr": stderr}, ci))


class CountTests(unittest.TestCase):
    def test_cases_of_doctest_and_unittest_are_counted(self):
        self.assertEqual(count("OK", DOCTEST.format(7, 0)), "7 passed, 0 failed")
        self.assertEqual(count("FAIL", DOCTEST.format(5, 2)), "5 passed, 2 failed")
        self.assertEqual(count("OK", stderr="Ran 9 tests in 0.4s\n\nOK (skipped=2)\n"), "7 passed, 0 failed, 2 skipped")
        self.assertEqual(count("FAIL", stderr="Ran 9 tests in 0.4s\n\nFAILED (failures=1, errors=2)\n"), "6 passed, 3 failed")

    def test_other_programs_count_as_one(self):
        self.assertEqual(count("OK"), "1 passed, 0 failed")
        self.assertEqual(count("FAIL"), "0 passed, 1 failed")

    def test_a_crash_or_time_out_after_good_cases_is_a_failure(self):
        self.assertEqual(count("ERROR", DOCTEST.format(7, 0)), "7 passed, 1 failed")
        self.assertEqual(count("TIMEOUT"), "0 passed, 1 failed")
        self.assertEqual(count("UNEXPECTEDPASS"), "0 passed, 1 failed")

    def test_a_missing_dependency_is_a_failure_in_ci_only(self):
        self.assertEqual(count("SKIP", "SKIP: missing kcat\n"), "0 passed, 0 failed, 1 skipped")
        self.assertEqual(count("SKIP", "SKIP: missing kcat\n", ci=True), "0 passed, 1 failed")
        self.assertEqual(count("SKIP", "SKIP: no npm packages here\n", ci=True), "0 passed, 0 failed, 1 skipped")


if __name__ == "__main__":
    unittest.main()
