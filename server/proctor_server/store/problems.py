"""Problems in the store: written and described by the API, read whole only by workers."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic
import redis
import redis.asyncio
from pydantic_core import from_json, to_json

from proctor.types import Problem, ProblemInfo
from proctor_server.limit_rules import LimitRules
from proctor_server.queue import Size
from proctor_server.store import keys
from proctor_server.store.connection import run_script_async, translated
from proctor_server.store.scripts import PUT_PROBLEM
from proctor_server.units import problem_version

# Fast, and within a few per cent of level 6 on test data.
_ZLIB_LEVEL = 3
# Scripts block Redis: about 10 ms for so many problems of HumanEval's size.
_PUT_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Head:
    """What the API needs of a problem to accept work for it."""

    version: str
    prefix: str
    size: Size
    python_only: bool


def head(problem: Problem, rules: LimitRules) -> Head:
    """The head of a problem that is at hand."""
    tests = len(problem.tests)
    worst_s = tests * rules.resolve(problem.limits).wall_time_s
    python_only = any(test.kind != "stdin" for test in problem.tests)
    return Head(problem_version(problem), problem.prefix, Size(tests, worst_s), python_only)


def packed(problem: Problem) -> bytes:
    """What workers need of a problem, compressed."""
    needed = {"id", "entry_point", "limits", "comparer", "tests", "files"}
    return zlib.compress(problem.model_dump_json(include=needed).encode(), _ZLIB_LEVEL)


def describe(problem: Problem, version: str) -> ProblemInfo:
    """What anyone may know of a problem."""
    return ProblemInfo(
        id=problem.id,
        version=version,
        statement=problem.statement,
        prefix=problem.prefix,
        entry_point=problem.entry_point,
        limits=problem.limits,
        comparer=problem.comparer,
        tests=len(problem.tests),
        public_tests=[test for test in problem.tests if test.public],
        metadata=problem.metadata,
    )


class Problems:
    """The API's side. Every method raises StoreUnavailable where Redis does not answer."""

    def __init__(self, client: "redis.asyncio.Redis", orphan_ttl_s: int, rules: LimitRules) -> None:
        self._redis = client
        self._orphan_ttl_s = orphan_ttl_s
        self._rules = rules

    async def put(self, problems: Sequence[Problem]) -> int:
        """Store problems under their ids, replacing what was there; returns how many changed."""
        changed = 0
        for start in range(0, len(problems), _PUT_AT_ONCE):
            args: list[str | bytes] = []
            for problem in problems[start : start + _PUT_AT_ONCE]:
                args += self._fields(problem)
            with translated():
                changed += await run_script_async(
                    self._redis, PUT_PROBLEM, self._orphan_ttl_s, *args
                )
        return changed

    def _fields(self, problem: Problem) -> list[str | bytes]:
        brief = head(problem, self._rules)
        info = describe(problem, brief.version).model_dump_json()
        reference = b""
        if problem.reference is not None:
            reference = zlib.compress(problem.reference.model_dump_json().encode(), _ZLIB_LEVEL)
        return [problem.id, brief.version, _pack_head(brief), info, reference, packed(problem)]

    async def info(self, problem_id: str) -> bytes | None:
        """A problem's ProblemInfo as JSON, None where there is no such problem."""
        with translated():
            found: Any = await self._redis.get(keys.INFO + problem_id)
        return None if found is None else bytes(found)

    async def infos(self, ids: Sequence[str]) -> list[bytes]:
        """The ProblemInfo, as JSON, of each of the ids that exists, in their order."""
        if not ids:
            return []
        with translated():
            found: Any = await self._redis.mget([keys.INFO + problem_id for problem_id in ids])
        return [bytes(info) for info in found if info is not None]

    async def ids(self, after: str | None, limit: int) -> list[str]:
        """Up to `limit` ids in order of their bytes, those after `after`."""
        start = "-" if after is None else f"({after}"
        with translated():
            found: Any = await self._redis.zrange(
                keys.PROBLEMS, start, "+", bylex=True, offset=0, num=limit
            )
        return [problem_id.decode() for problem_id in found]

    async def heads(self, ids: Iterable[str]) -> dict[str, Head]:
        """The heads of those of the ids that exist."""
        wanted = list(ids)
        if not wanted:
            return {}
        with translated():
            found: Any = await self._redis.mget(
                [keys.PROBLEM + problem_id for problem_id in wanted]
            )
        return {
            problem_id: _unpack_head(raw)
            for problem_id, raw in zip(wanted, found, strict=True)
            if raw is not None
        }


def _pack_head(brief: Head) -> bytes:
    size = brief.size
    return to_json(
        {
            "version": brief.version,
            "prefix": brief.prefix,
            "tests": size.tests,
            "worst_s": size.worst_s,
            "python_only": brief.python_only,
        }
    )


def _unpack_head(raw: bytes) -> Head:
    facts = from_json(raw)
    size = Size(facts["tests"], facts["worst_s"])
    return Head(facts["version"], facts["prefix"], size, facts["python_only"])


class ProblemMissing(KeyError):
    """Raised when a problem version that work refers to is not in the store, or is damaged."""


class StoredProblems:
    """The worker's side: whole problems by version."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def __call__(self, version: str) -> Problem:
        """The problem of a version. Raises ProblemMissing."""
        raw: Any = self._redis.get(keys.TESTS + version)
        if raw is None:
            raise ProblemMissing(f"problem version {version} is not in the store")
        try:
            return Problem.model_validate_json(zlib.decompress(raw))
        except (zlib.error, pydantic.ValidationError):
            # Without the cause: a validation error quotes its input, which is hidden test data.
            raise ProblemMissing(f"problem version {version} is damaged in the store") from None
