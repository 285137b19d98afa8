"""LiveCodeBench's problems and its way to grade them, which open-instruct and NeMo Gym copied."""

import json
from collections.abc import Sequence

from proctor.types import CallTest, Comparer, Item, LimitsSpec, Problem, StdinTest, TestCase
from proctor_server.faults import refuse

COMPARER = Comparer(name="livecodebench")

# What a program finds there without importing it: models write `List[int]` and `deque` and are
# right by that grader. `builtins` last but one, so that `open` and `pow` are what they are.
PRELUDE = """\
from string import *
from re import *
from datetime import *
from collections import *
from heapq import *
from bisect import *
from copy import *
from math import *
from random import *
from statistics import *
from itertools import *
from functools import *
from operator import *
from io import *
from sys import *
from json import *
from builtins import *
from typing import *
import string, re, datetime, collections, heapq, bisect, copy, math, random, statistics
import itertools, functools, operator, io, sys, json
sys.setrecursionlimit(50000)
"""


def item(program: str, tests: Sequence[TestCase], limits: LimitsSpec) -> Item:
    """A program to judge by tests of LiveCodeBench's."""
    # It has to be first in a program; that grader takes such a program for a broken one.
    prefix = "" if "from __future__" in program else PRELUDE
    problem = Problem(
        id="livecodebench", prefix=prefix, limits=limits, comparer=COMPARER, tests=list(tests)
    )
    # As what follows a prefix even an empty program is judged, and not refused.
    return Item(problem=problem, continuation=program)


def stdin_test(given: object, expected: object, where: str, *, public: bool = False) -> StdinTest:
    """A test of standard input and output; lists are lines. Raises BadRequest."""
    return StdinTest(input=_text(given, where), output=_text(expected, where), public=public)


def call_test(function: str, program: str, given: str, expected: str, where: str) -> CallTest:
    """A call with an argument as JSON on each line. Raises BadRequest.

    As in that grader a program that has a class Solution has its function there.
    """
    name = f"Solution.{function}" if "class Solution" in program else function
    try:
        args = [json.loads(line) for line in given.split("\n")]
        return CallTest(function=name, args=args, expected=json.loads(expected))
    except ValueError:
        refuse(where, "is no JSON", "give an argument as JSON on each line, and the value as JSON")


def _text(value: object, where: str) -> str:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "\n".join(value)
    if isinstance(value, str):
        return value
    return refuse(where, "is no text", "give input and output as text, or as a list of lines")
