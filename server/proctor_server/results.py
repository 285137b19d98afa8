"""Result lines: made from store entries, the stored outcome's JSON passed through as it is."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json, to_json

from proctor.types import Item, RewardPolicy, StreamEnd, Verdict
from proctor_server.outcome import Outcome
from proctor_server.rewards import reward

# An outcome's field that is no result's: it is only there for the weighted policy.
_OWN_FIELD = b',"total_weight":'


def pack_items(items: Sequence[Item], default: RewardPolicy) -> bytes:
    """What result lines need of a batch's items, as JSON."""
    rows = [
        (
            item.id,
            item.problem.id if item.problem is not None else item.problem_id,
            item.language,
            None if item.reward is None else item.reward.model_dump(),
        )
        for item in items
    ]
    return to_json({"reward": default.model_dump(), "items": rows})


class ResultLines:
    """Makes the result lines of one batch."""

    def __init__(self, batch_id: str, items: bytes, created: float) -> None:
        known = from_json(items)
        self._batch_id = batch_id
        self._created = created
        self._default = RewardPolicy.model_validate(known["reward"])
        self._items: list[list[Any]] = known["items"]

    @property
    def total(self) -> int:
        """How many items the batch has."""
        return len(self._items)

    def about(self, index: int) -> tuple[str, str]:
        """The problem id and the language of an item."""
        _, problem_id, language, _ = self._items[index]
        return problem_id, language

    def line(self, entry: bytes) -> bytes:
        """The Result of an entry as JSON, without a newline."""
        index, cached, started, outcome = entry.split(b" ", 3)
        head = self._head(int(index))
        if cached == b"c":
            return head + (
                b'"state":"cancelled","verdict":null,"pass_rate":null,"reward":null,'
                b'"passed":0,"total":0}'
            )
        parsed = Outcome.from_json(outcome)
        earned = reward(parsed, self._policy(int(index)))
        before, _, after = outcome.partition(_OWN_FIELD)
        ending = after.find(b",")
        rest = b"}" if ending < 0 else after[ending:]
        queued = max(0.0, float(started) - self._created)
        return b'%b"pass_rate":%b,"reward":%b,"queue_time_s":%.6f,"cached":%b,%b%b' % (
            head,
            _number(parsed.pass_rate),
            _number(earned),
            queued,
            b"true" if cached == b"1" else b"false",
            before[1:],
            rest,
        )

    def reward(self, entry: bytes) -> tuple[int, float | None, Verdict | None]:
        """The index, reward and verdict of an entry."""
        index, cached, _, outcome = entry.split(b" ", 3)
        if cached == b"c":
            return int(index), None, None
        parsed = Outcome.from_json(outcome)
        return int(index), reward(parsed, self._policy(int(index))), parsed.verdict

    def _policy(self, index: int) -> RewardPolicy:
        own = self._items[index][3]
        return self._default if own is None else RewardPolicy.model_validate(own)

    def _head(self, index: int) -> bytes:
        client_id, problem_id, language, _ = self._items[index]
        own = "null" if client_id is None else json.dumps(client_id)
        # Problem ids and language names need no escaping: their patterns see to it.
        return (
            f'{{"index":{index},"id":{own},"submission_id":"{self._batch_id}-{index}",'
            f'"problem_id":"{problem_id}","language":"{language}",'
        ).encode()


def end_line(cursor: int, state: str) -> bytes:
    """The last line of a results stream."""
    return StreamEnd.model_validate({"cursor": cursor, "state": state}).model_dump_json().encode()


def _number(value: float | None) -> bytes:
    return b"null" if value is None else repr(value).encode()
