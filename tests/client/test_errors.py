"""Errors: what they say, and that they survive a process boundary."""

import pickle

from proctor import FieldProblem, InvalidRequest, NotFound, ProblemDetails
from proctor.errors import refusal


def details(errors: int = 0) -> ProblemDetails:
    return ProblemDetails(
        title="Invalid request",
        status=422,
        detail="two items are wrong",
        errors=[
            FieldProblem(field=f"items[{n}].source", reason="is empty", remedy="give a program")
            for n in range(errors)
        ],
    )


def test_a_refusal_says_field_reason_and_remedy() -> None:
    text = str(refusal(details(errors=1), 422))
    assert "two items are wrong" in text
    assert "items[0].source: is empty (give a program)" in text


def test_a_long_refusal_shows_a_few_and_counts_the_rest() -> None:
    error = refusal(details(errors=13), 422)
    assert "items[9].source" in str(error)
    assert "items[10].source" not in str(error)
    assert "and 3 more" in str(error)
    assert len(error.errors) == 13


def test_a_refusal_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(refusal(details(errors=1), 404)))  # noqa: S301  our own
    assert type(error) is NotFound
    assert (error.status, error.details) == (404, details(errors=1))


def test_statuses_that_nothing_more_specific_names_are_sorted_by_whose_fault_it_is() -> None:
    kinds = {status: type(refusal(details(), status)).__name__ for status in (302, 418, 507)}
    assert kinds == {302: "Refused", 418: "Refused", 507: "ServerFailed"}
    assert isinstance(refusal(details(), 413), InvalidRequest)
