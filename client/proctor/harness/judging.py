"""Judging: items in, results out, in as many batches as they take, whoever wrote the programs."""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Unpack

from proctor._blame import blamed, is_too_much
from proctor._client import Batch, Client
from proctor._posting import Forgotten, parts
from proctor._requests import Options
from proctor._submissions import Submission
from proctor.errors import BadAnswer, InvalidRequest, NotFound, ProctorError
from proctor.types import Item, Result, RewardPolicy


@dataclass(frozen=True, slots=True)
class _Placed:
    """An item's place in what was asked, and the item as it is posted."""

    place: int
    submission: Submission


def judge(
    client: Client, items: Sequence[Item], **options: Unpack[Options]
) -> Generator[tuple[int, Result], None, None]:
    """Results as they come, each with its item's place; every item has exactly one.

    A text that can be no program (empty, too long) is the model's doing: it gets CE, where the
    server would refuse the batch. When the caller leaves early, what has not run is cancelled.

    Raises:
        InvalidRequest: another fault of an item's; the message names its problem.
        ProctorError: the server could not be asked.
    """
    placed = [_Placed(place, _submission(item)) for place, item in enumerate(items)]
    left = list(parts(placed, lambda each: each.submission.size))
    while left:
        part = left.pop(0)
        try:
            batch = client.submit([each.submission.item for each in part], **options)
        except InvalidRequest as error:
            if is_too_much(error) and len(part) > 1:
                half = len(part) // 2
                left[:0] = [part[:half], part[half:]]
                continue
            found = blamed([each.submission for each in part], error, RewardPolicy())
            if not found:
                raise
            for index, outcome in found.items():
                if isinstance(outcome, InvalidRequest):
                    raise outcome from error
                yield part[index].place, outcome
            rest = [each for index, each in enumerate(part) if index not in found]
            left[:0] = [rest] if rest else []
            continue
        missing = {index: each.place for index, each in enumerate(part)}
        for result in _results(batch):
            yield missing.pop(result.index), result
        if missing:
            raise BadAnswer(f"batch {batch.id} ended with {len(missing)} result(s) missing")


# -- helpers ----------------------------------------------------------------------------------


def _results(batch: Batch) -> Iterator[Result]:
    ended = False
    try:
        yield from batch.results()
        ended = True
    except NotFound as error:
        ended = True
        raise Forgotten(f"the server forgot batch {batch.id} before it was read") from error
    finally:
        if not ended:
            # Nobody will read the rest. That it failed matters less than why it was tried.
            with contextlib.suppress(ProctorError):
                batch.cancel()


def _submission(item: Item) -> Submission:
    text = item.source or item.completion or item.continuation or ""
    inline = 0 if item.problem is None else len(item.problem.model_dump_json())
    return Submission(item, (), len(text) + inline)
