"""The door: requests are checked whole, and what passes becomes problems and drafts.

A request with any fault is refused with all of its faults, and nothing of it is done.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import NoReturn

import pydantic

from proctor.content import Files, files_size
from proctor.runs import RunRequest
from proctor.types import (
    AssertionTest,
    BatchRequest,
    CallTest,
    Item,
    LimitsSpec,
    Problem,
    PytestTest,
    RewardPolicy,
    RewardsRequest,
    StdinTest,
    SubmissionRequest,
)
from proctor_sandbox.agent import asserts
from proctor_sandbox.languages import LANGUAGES, RUNNABLE, named
from proctor_server import request_id
from proctor_server.extract import extract
from proctor_server.faults import Faults
from proctor_server.limit_rules import LimitRules
from proctor_server.queue import Size
from proctor_server.results import pack_items
from proctor_server.store.batches import Draft
from proctor_server.store.problems import Head, Problems, head, packed
from proctor_server.store.sources import pack_sources
from proctor_server.units import RAW, Unit

Where = Callable[[int, str], str]


def in_batch(index: int, name: str) -> str:
    """The path of a field of a batch's item."""
    return f"items[{index}].{name}" if name else f"items[{index}]"


def alone(_: int, name: str) -> str:
    """The path of a field of a single submission."""
    return name or "body"


def in_rewards(index: int, name: str) -> str:
    """The path of a field of a rewards request."""
    names = {"problem_id": "problem_ids", "completion": "completions"}
    return f"{names[name]}[{index}]" if name in names else name


@dataclass(frozen=True, slots=True)
class DoorRules:
    """What a request may hold at most."""

    limits: LimitRules
    languages: Callable[[], Collection[str]]  # that workers have; empty: nobody knows yet
    max_source_bytes: int
    max_batch_items: int
    max_tests: int
    max_files_bytes: int
    keep_sources: bool


# Other requests have their turn after so many items, some 5 ms.
_BREATH = 500


class Door:
    """Checks what comes in, against the rules and the problems in the store."""

    def __init__(self, problems: Problems, rules: DoorRules) -> None:
        self._problems = problems
        self._rules = rules

    def check_problem(self, problem: Problem, faults: Faults, where: str = "") -> None:
        """Note everything about a problem that its types can't say."""
        dot = f"{where}." if where else ""
        self._check_limits(problem.limits, faults, f"{dot}limits")
        if len(problem.tests) > self._rules.max_tests:
            most = self._rules.max_tests
            faults.add(f"{dot}tests", f"has more than {most} entries", f"give at most {most}")
        for name in _NUMERIC:
            if not _finite(problem, name):
                faults.add(f"{dot}{name}", "holds NaN or Infinity", "give finite numbers")
                return
        for index, test in enumerate(problem.tests):
            self._check_test(problem, test, faults, f"{dot}tests[{index}]")
        self._check_files(problem.files, faults, f"{dot}files")
        reference = problem.reference
        if reference is not None:
            self._check_language(named(reference.language), faults, f"{dot}reference.language")

    async def draft(
        self,
        request: BatchRequest,
        where: Where = in_batch,
        faults: Faults | None = None,
        skip: Collection[int] = (),
    ) -> Draft:
        """A draft of a batch. Raises BadRequest with all that is wrong, `faults` included.

        Items whose index is in `skip` are known to be faulty already.
        """
        faults = faults or Faults()
        items = [_named(item) for item in request.items]
        if len(items) > self._rules.max_batch_items:
            most = self._rules.max_batch_items
            _too_many(faults, most)
        heads = await self._problems.heads(
            {item.problem_id for item in items if item.problem_id is not None}
        )
        self._check_ids(items, faults, where)
        inline = _Inline(self)
        units: list[Unit] = []
        sizes: dict[str, Size] = {}
        for index, item in enumerate(items):
            if index % _BREATH == 0:
                await asyncio.sleep(0)
            if index in skip:
                continue
            brief = self._head(index, item, heads, inline, faults, where)
            self._check_program(index, item, faults, where)
            if brief is None or faults.count:
                continue
            if brief.python_only and item.language != "python":
                faults.add(
                    where(index, "language"),
                    "is not python, which this problem's call, assertion or pytest tests need",
                    "give python, or a problem with stdin tests only",
                )
            unit = Unit.of(
                item.language,
                _program(item, brief, request),
                brief.version,
                stop_on_failure=request.stop == "first_failure",
                fresh=request.fresh,
                files=item.files,
            )
            units.append(unit)
            sizes[unit.key] = brief.size
        faults.check("the request" if where is alone else "the batch")
        return Draft(
            id=uuid.uuid4().hex,
            created=round(time.time(), 6),
            items=pack_items(items, request.reward),
            units=units,
            sizes=sizes,
            problems=inline.packed,
            deadline_s=request.deadline_s,
            request=request_id.current.get(),
            sources=await pack_sources(units) if self._rules.keep_sources else (),
        )

    def raw_draft(self, request: RunRequest) -> Draft:
        """A draft of a raw run. Raises BadRequest with all that is wrong."""
        faults = Faults()
        request = request.model_copy(update={"language": named(request.language)})
        self._check_language(request.language, faults, "language", RUNNABLE)
        self._check_length(request.source, faults, "source")
        self._check_limits(request.limits, faults, "limits")
        self._check_files(request.files, faults, "files")
        compile_s = request.compile_wall_time_s or 0.0
        most_s = self._rules.limits.max_wall_time_s
        if compile_s > most_s:
            reason = "is above the maximum"
            faults.add("compile_wall_time_s", reason, f"give at most {most_s:g}")
        faults.check("the request")
        limits = self._rules.limits.resolve(request.limits)
        item = Item.model_construct(problem_id=RAW, language=request.language)
        unit = Unit.raw_run(request)
        return Draft(
            id=uuid.uuid4().hex,
            created=round(time.time(), 6),
            items=pack_items([item], _DEFAULT_POLICY),
            units=[unit],
            sizes={unit.key: Size(1, limits.wall_time_s + compile_s)},
            problems={},
            request=request_id.current.get(),
        )

    def head(self, problem: Problem) -> Head:
        """The head of a problem whose numbers are finite."""
        return head(problem, self._rules.limits)

    # -- one field each ------------------------------------------------------------------------

    def _head(
        self,
        index: int,
        item: Item,
        heads: dict[str, Head],
        inline: "_Inline",
        faults: Faults,
        where: Where,
    ) -> Head | None:
        if item.problem is not None:
            return inline.head(item.problem, faults, where(index, "problem"))
        found = heads.get(item.problem_id or "")
        if found is None:
            remedy = "import the problem first, or mend the id (GET /v1/problems lists them)"
            faults.add(where(index, "problem_id"), "names no problem that is stored", remedy)
        return found

    def _check_program(self, index: int, item: Item, faults: Faults, where: Where) -> None:
        self._check_language(item.language, faults, where(index, "language"))
        if item.source is not None:
            name, text = "source", item.source
            # Of what a model wrote neither is refused: its empty or broken program is its doing.
            if not text.strip() and not item.files:
                faults.add(where(index, name), "is empty", "give the program's text")
            elif "\0" in text:
                faults.add(where(index, name), "holds a NUL character", "remove it")
        elif item.completion is not None:
            name, text = "completion", item.completion
        else:
            name, text = "continuation", item.continuation or ""
        self._check_length(text, faults, where(index, name))
        self._check_files(item.files, faults, where(index, "files"))

    def _check_length(self, text: str, faults: Faults, where: str) -> None:
        most = self._rules.max_source_bytes
        # Most texts are far too short to be worth encoding.
        if len(text) * 4 > most and len(text.encode()) > most:
            faults.add(where, f"is longer than {most} bytes", "shorten it")

    def _check_files(self, files: Files, faults: Faults, where: str) -> None:
        most = self._rules.max_files_bytes
        if files and files_size(files) > most:
            faults.add(where, f"holds more than {most} bytes", "give fewer or smaller files")

    def _check_ids(self, items: Sequence[Item], faults: Faults, where: Where) -> None:
        seen: dict[str, int] = {}
        for index, item in enumerate(items):
            if item.id is not None and seen.setdefault(item.id, index) != index:
                reason = f"is the id of item {seen[item.id]} too"
                faults.add(where(index, "id"), reason, "give each item an id of its own, or none")

    def _check_limits(self, limits: LimitsSpec, faults: Faults, where: str) -> None:
        for name, most in self._rules.limits.excesses(limits):
            faults.add(f"{where}.{name}", "is above the maximum", f"give at most {most:g}")

    def _check_test(self, problem: Problem, test: object, faults: Faults, where: str) -> None:
        if isinstance(test, StdinTest | PytestTest):
            self._check_files(test.files, faults, f"{where}.files")
        if isinstance(test, PytestTest):
            _check_pytest(test, faults, where)
        if isinstance(test, CallTest) and not _is_dotted_name(test.function):
            faults.add(f"{where}.function", "is no function's name", "give name or Class.method")
        if not isinstance(test, AssertionTest):
            return
        entry_point = test.entry_point or problem.entry_point
        if entry_point is not None and not _is_dotted_name(entry_point):
            faults.add(f"{where}.entry_point", "is no function's name", "give the name alone")
        _check_code(test.code, faults, f"{where}.code")

    def _check_language(
        self, name: str, faults: Faults, where: str, all_of: Collection[str] = LANGUAGES
    ) -> None:
        there = set(all_of).intersection(self._rules.languages() or all_of)
        if name in there:
            return
        reason = "is no language that is known here"
        if name in all_of:
            reason = "is a language that no worker here has an image for"
        faults.add(where, reason, f"give one of {', '.join(sorted(there))}")


class _Inline:
    """The inline problems of a batch: equal ones are checked and packed once."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.packed: dict[str, bytes] = {}

    def head(self, problem: Problem, faults: Faults, where: str) -> Head | None:
        """The problem's head; None, with its faults noted, where it has any."""
        brief = self._door.head(problem) if _all_finite(problem) else None
        if brief is None or brief.version not in self.packed:
            before = faults.count
            self._door.check_problem(problem, faults, where)
            if faults.count > before or brief is None:
                return None
            self.packed[brief.version] = packed(problem)
        return brief


def one_item(request: SubmissionRequest) -> BatchRequest:
    """A submission as a batch of one."""
    item = Item.model_construct(**{name: getattr(request, name) for name in Item.model_fields})
    # Said, as model_construct would make a deep copy of the default.
    return BatchRequest.model_construct(
        items=[item],
        reward=request.reward or _DEFAULT_POLICY,
        stop=request.stop,
        extraction=request.extraction,
        fresh=request.fresh,
        deadline_s=request.deadline_s,
    )


def one_each(request: RewardsRequest) -> BatchRequest:
    """A rewards request as a batch."""
    items = [
        Item.model_construct(problem_id=problem_id, language=request.language, completion=text)
        for problem_id, text in zip(request.problem_ids, request.completions, strict=True)
    ]
    return BatchRequest.model_construct(
        items=items,
        reward=request.reward,
        stop=request.stop,
        extraction=request.extraction,
        deadline_s=request.deadline_s,
    )


def salvage(value: object, faults: Faults, most: int) -> tuple[BatchRequest, set[int]]:
    """What can be read of a batch that pydantic refused, and the indices that can't be.

    So that the readable items' other faults are found at the same time. Raises BadRequest
    where not even a list of items is there, or one of more than `most`.
    """
    if not isinstance(value, dict) or not isinstance(value.get("items"), list):
        try:
            BatchRequest.model_validate(value)
        except pydantic.ValidationError as error:
            faults.add_invalid(error)
        raise faults.error("the batch")
    if len(value["items"]) > most:
        _too_many(faults, most)
    try:
        outline = BatchRequest.model_validate({**value, "items": [_STAND_IN]})
    except pydantic.ValidationError as error:
        faults.add_invalid(error)
        outline = BatchRequest(items=[_STAND_IN])
    items: list[Item] = []
    bad: set[int] = set()
    for index, raw in enumerate(value["items"]):
        try:
            items.append(Item.model_validate(raw))
        except pydantic.ValidationError as error:
            faults.add_invalid(error, in_batch(index, ""))
            items.append(_STAND_IN)
            bad.add(index)
    if not items:
        faults.add("items", "is empty", "give at least one item")
    return outline.model_copy(update={"items": items}), bad


def _too_many(faults: Faults, most: int) -> NoReturn:
    faults.add("items", f"has more than {most} entries", "post several batches")
    raise faults.error("the batch")


def _named(item: Item) -> Item:
    """The item with its language's own name."""
    name = named(item.language)
    return item if name == item.language else item.model_copy(update={"language": name})


_DEFAULT_POLICY = RewardPolicy()
# In the place of an item that can't be read; nothing looks at it.
_STAND_IN = Item(problem_id="-", source="-")


def _program(item: Item, brief: Head, request: BatchRequest) -> str:
    if item.source is not None:
        return item.source
    if item.completion is not None:
        return extract(item.completion, request.extraction)
    return brief.prefix + (item.continuation or "")


# What pytest looks for unless told otherwise.
_TEST_FILES = ("test_*.py", "*_test.py")
_NUMERIC = ("tests", "metadata", "comparer")


def _all_finite(problem: Problem) -> bool:
    return all(_finite(problem, name) for name in _NUMERIC)


def _finite(problem: Problem, name: str) -> bool:
    try:
        json.dumps(problem.model_dump(mode="json", include={name}), allow_nan=False)
    except ValueError:
        return False
    return True


def _check_pytest(test: PytestTest, faults: Faults, where: str) -> None:
    names = [path.rpartition("/")[2] for path in test.files]
    if not any(fnmatch(name, form) for name in names for form in _TEST_FILES):
        remedy = f"name one {' or '.join(_TEST_FILES)}"
        faults.add(f"{where}.files", "holds no file that pytest takes for tests", remedy)
    for path, content in test.files.items():
        if path.endswith(".py") and isinstance(content, str):
            _check_code(content, faults, f"{where}.files[{path!r}]")
    if not all(name.isidentifier() for name in test.modules):
        faults.add(f"{where}.modules", "holds what is no module's name", "give top-level names")


def _check_code(code: str, faults: Faults, where: str) -> None:
    try:
        asserts.count(code)
    except SyntaxError as error:
        # The line's number alone: its text is hidden test data.
        place = f" (line {error.lineno})" if error.lineno else ""
        faults.add(where, f"does not parse as Python{place}", "mend the test code")
    except ValueError:
        faults.add(where, "does not parse as Python", "remove NUL characters")


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
