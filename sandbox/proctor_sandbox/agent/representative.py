# ruff: noqa: UP004, UP032
# mypy: ignore-errors
"""A program that does what programs do, in their ways: zygotes rehearse with it (warm.py)."""

import collections
import functools
import heapq
import io
import itertools
import math
import re
import string
import sys
import traceback

lines = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"3 4\n1 2 3\n")), encoding="utf-8")
out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape")


class Point:
    def __init__(self, x, y=0):
        self.x, self.y = x, y

    def __repr__(self):
        return f"Point({self.x}, {self.y:.2f})"


class Deep(Point, object):
    @property
    def norm(self):
        return math.hypot(self.x, self.y)


@functools.cache
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def squares(n):
    for i in range(n):
        yield i * i


n, m = map(int, lines.readline().split())
rows = [int(word) for word in lines.read().split()]
table = collections.defaultdict(list)
for i, value in enumerate(sorted(rows, key=lambda v: -v)):
    table[value % 2].append((i, str(value), {value}, {"k": [value]}))
heap = list(squares(5))
heapq.heapify(heap)
heapq.heappop(heap)
try:
    raise ValueError("x") from KeyError("y")
except ValueError as error:
    text = "".join(traceback.format_exception(error))
try:
    compile("def f(:", "x", "exec")
except SyntaxError as error:
    "".join(traceback.format_exception_only(error))
re.sub(r"(\w+)", lambda match: match.group(1).upper(), "some text")
print(fib(20), Deep(3, 4).norm, repr(Point(1, 2)), *itertools.islice(rows, 2), sep=" ", file=out)
print("{:>5} %s".format(1), 2**100, 1.5e10, b"x", [1, (2,)], {"a": 1}, file=out)
out.flush()
"-".join(string.ascii_lowercase).encode().decode()
print("to stdout")
try:
    input()
except EOFError:
    sys.stdin.readline()
