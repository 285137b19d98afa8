"""Requests: what is left out of a body must come back as the same on the other side."""

import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proctor._effects import Call
from proctor._requests import (
    Options,
    batch_request,
    create_batch,
    get_problem,
    import_problems,
    put_problem,
    submission,
    submission_request,
)
from proctor.types import (
    AssertionTest,
    BatchRequest,
    CallTest,
    Comparer,
    Extraction,
    Item,
    Problem,
    RewardPolicy,
    StdinTest,
    SubmissionRequest,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
TESTS = st.one_of(
    st.builds(StdinTest, input=TEXT, output=TEXT, public=st.booleans()),
    st.builds(CallTest, function=st.just("f"), args=st.lists(JSON, max_size=3), expected=JSON),
    st.builds(AssertionTest, code=st.just("assert f()"), weight=st.floats(0, 10)),
)
PROBLEMS = st.builds(
    Problem,
    id=st.from_regex(r"[A-Za-z0-9._:/@+-]{1,40}", fullmatch=True).filter(
        lambda name: {".", ".."}.isdisjoint(name.split("/"))
    ),
    statement=TEXT,
    comparer=st.builds(Comparer, name=st.sampled_from(["lines", "tokens", "floats"])),
    tests=st.lists(TESTS, min_size=1, max_size=3),
)
POLICIES = st.builds(
    RewardPolicy, name=st.sampled_from(["pass_rate", "threshold"]), threshold=st.floats(0.1, 1)
)


@st.composite
def items(draw: st.DrawFn) -> Item:
    fields: dict[str, Any] = {
        draw(st.sampled_from(["source", "completion", "continuation"])): draw(TEXT)
    }
    if draw(st.booleans()):
        fields["problem_id"] = "a/b"
    else:
        fields["problem"] = draw(PROBLEMS)
    if draw(st.booleans()):
        fields |= {"reward": draw(POLICIES), "language": "cpp", "id": draw(TEXT)[:200]}
    return Item.model_validate(fields)


OPTIONS = st.builds(
    Options,
    reward=POLICIES,
    stop=st.sampled_from(["never", "first_failure"]),
    extraction=st.builds(Extraction, missing_fence=st.sampled_from(["empty", "whole"])),
    fresh=st.booleans(),
    deadline_s=st.none() | st.floats(0.1, 600_000),
)


def body(call: Call) -> bytes:
    assert call.body is not None
    zipped = call.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(call.body) if zipped else call.body


@given(st.lists(items(), min_size=1, max_size=4), OPTIONS)
def test_a_batch_arrives_as_it_was_posted(posted: list[Item], options: Options) -> None:
    request = batch_request(posted, options)
    assert BatchRequest.model_validate_json(body(create_batch(request, None))) == request
    assert list(request.items) == posted


@given(items(), OPTIONS)
def test_a_submission_arrives_as_it_was_posted(item: Item, options: Options) -> None:
    request = submission_request(item, options)
    arrived = SubmissionRequest.model_validate_json(body(submission(request, 1.0)))
    assert arrived == request
    assert arrived.problem == item.problem


@given(st.lists(PROBLEMS, min_size=1, max_size=5))
def test_problems_arrive_as_they_were_stored(problems: list[Problem]) -> None:
    lines = [line for call in import_problems(problems) for line in body(call).split(b"\n")]
    assert [Problem.model_validate_json(line) for line in lines] == problems
    assert Problem.model_validate_json(body(put_problem(problems[0]))) == problems[0]


def test_every_batch_has_a_key_of_its_own_unless_one_is_given() -> None:
    request = batch_request([Item(problem_id="a", source="x")], {})
    keys = {create_batch(request, None).headers["Idempotency-Key"] for _ in range(3)}
    assert len(keys) == 3
    assert create_batch(request, "mine").headers["Idempotency-Key"] == "mine"


@pytest.mark.parametrize(
    ("problem_id", "path"),
    [
        ("HumanEval/0", "/v1/problems/HumanEval/0"),
        ("a?b#c%2F", "/v1/problems/a%3Fb%23c%252F"),
        ("é", "/v1/problems/%C3%A9"),
    ],
)
def test_an_id_is_quoted_in_a_path(problem_id: str, path: str) -> None:
    assert get_problem(problem_id).path == path


@pytest.mark.parametrize("name", ["..", ".", "a/../b", "./a", "a/."])
def test_a_problem_id_is_no_path(name: str) -> None:
    # Clients resolve dot segments, so such an id could be stored but never asked for.
    with pytest.raises(ValidationError, match="between slashes"):
        Problem(id=name, tests=[StdinTest(input="", output="")])
