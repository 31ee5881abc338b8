# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run the interpreter's own test modules and print one line a test, without timings: the output of two runs is equal.

usage: pytests.py [--skip REGEX] [--only REGEX] [--times] MODULE...
The regular expressions are searched in Class.method.
"""
import argparse
import logging
import os
import re
import sys
import time
import traceback
import unittest
import warnings

import test.support

# Otherwise many of them print ports, pids and what their threads do.
test.support.verbose = 0


# asyncio's debug mode reports whatever takes longer than a tenth of a second: time is not compared.
logging.getLogger("asyncio").addFilter(lambda record: not str(record.msg).startswith("Executing "))


def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def name_of(test):
    name = test.id()
    parts = name.split(".")
    return ".".join(parts[-2:]) if len(parts) > 1 else name


class Lines(unittest.TestResult):
    def __init__(self, times):
        super().__init__()
        self.times, self.begun, self.bad = times, {}, 0

    def say(self, word, test, text=""):
        sys.stdout.write(f"{word} {name_of(test)}{text}\n")
        sys.stdout.flush()
        if self.times and test in self.begun:
            sys.stderr.write(f"{time.monotonic() - self.begun[test]:8.3f} {name_of(test)}\n")

    def startTest(self, test):
        super().startTest(test)
        self.begun[test] = time.monotonic()

    def addSuccess(self, test):
        self.say("ok", test)

    def addSkip(self, test, reason):
        self.say("skip", test)

    def addExpectedFailure(self, test, err):
        self.say("expected", test)

    def wrong(self, word, test, err):
        self.bad += 1
        self.say(word, test)
        sys.stderr.write("".join(traceback.format_exception(*err)))

    def addFailure(self, test, err):
        self.wrong("FAIL", test, err)

    def addError(self, test, err):
        self.wrong("ERROR", test, err)

    def addUnexpectedSuccess(self, test):
        self.bad += 1
        self.say("UNEXPECTED", test)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.wrong("FAIL", test, err)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--skip")
    parser.add_argument("--only")
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("module", nargs="+")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    result = Lines(args.times)
    ran = 0
    for _ in range(args.repeat):
        for module in args.module:
            suite = unittest.defaultTestLoader.loadTestsFromName(module)
            chosen = unittest.TestSuite()
            chosen.addTests(
                test
                for test in each(suite)
                if not (args.skip and re.search(args.skip, name_of(test)))
                and not (args.only and not re.search(args.only, name_of(test)))
            )
            ran += chosen.countTestCases()
            chosen.run(result)
    print(f"ran {ran}, bad {result.bad}")
    return 1 if result.bad else 0


if __name__ == "__main__":
    sys.exit(main())
