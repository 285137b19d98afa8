"""The grader: programs judged on the one server of a test run, which is started when needed."""

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from proctor import Client, Item, Problem, ProctorError, Result, Verdict
from proctor.harness.expectation import Expectation
from proctor.harness.judging import judge
from proctor.stack import embedded_stack


class Grader:
    """Judges programs, and asserts what they earn.

    Args:
        url: of the server; None: one is started at the first program, and ends with `close`.
        api_key: sent where the server asks for one.
    """

    def __init__(self, url: str | None, api_key: str | None) -> None:
        self._url = url
        self._api_key = api_key
        self._open = ExitStack()
        self._client: Client | None = None
        self._failure: ProctorError | None = None

    @property
    def client(self) -> Client:
        """A client of the server: to import problems, say. Raises ProctorError."""
        if self._failure is not None:
            raise self._failure  # every test would wait for a server that does not start
        if self._client is None:
            try:
                url = self._url or self._open.enter_context(embedded_stack())
            except ProctorError as error:
                self._failure = error
                raise
            self._client = self._open.enter_context(Client(url, api_key=self._api_key))
        return self._client

    def grade(
        self,
        problem: str | Problem | Mapping[str, Any],
        source: str,
        *,
        language: str = "python",
        verdict: str | Iterable[str] = "AC",
        pass_rate: float | None = None,
    ) -> Result:
        """The result of a program, which has to be what is expected of it.

        Args:
            problem: the id of one that the server has, or a whole one.
            source: the program.
            language: of it.
            verdict: expected, or several of which any will do.
            pass_rate: expected, if given.

        Raises:
            AssertionError: the result is another; says verdict, counts and which tests failed.
            ProctorError: the program could not be judged, which says nothing about it.
        """
        __tracebackhide__ = True
        said = [verdict] if isinstance(verdict, str) else verdict
        expectation = Expectation(verdicts=frozenset(map(Verdict, said)), pass_rate=pass_rate)
        where = "problem_id" if isinstance(problem, str) else "problem"
        item = Item.model_validate({where: problem, "source": source, "language": language})
        return self.judge(item, expectation)

    def judge(self, item: Item, expectation: Expectation) -> Result:
        """As `grade`, for an item."""
        __tracebackhide__ = True
        ((_, result),) = judge(self.client, [item])
        deviation = expectation.deviation(result)
        if deviation is not None:
            raise AssertionError(deviation)
        return result

    def close(self) -> None:
        """End the server, if one was started here."""
        self._open.close()


def grader(config: pytest.Config) -> Grader:
    """The grader of a test run; it is closed when the run ends."""
    found = config.stash.get(_GRADER, None)
    if found is None:
        url = config.getoption("--proctor-url") or os.environ.get("PROCTOR_URL")
        found = config.stash[_GRADER] = Grader(url, os.environ.get("PROCTOR_API_KEY"))
        config.add_cleanup(found.close)
    return found


_GRADER = pytest.StashKey[Grader]()
