"""The clients: threads that post batches and read their results, as a trainer does."""

import queue
import random
import threading
from dataclasses import dataclass, field

from proctor import Client, ProctorError
from proctor.types import Result
from tests.chaos.report import Read
from tests.chaos.workload import Task

# A batch that is not done by then is lost.
_PATIENCE_S = 600.0


@dataclass(slots=True)
class Posted:
    """One batch: what was posted, and what came back."""

    tasks: list[Task]
    id: str = ""
    results: list[Result] = field(default_factory=list)
    failure: str = ""

    def read(self) -> Read:
        """What its client got."""
        return Read(
            [task.reward for task in self.tasks],
            [(result.index, result.reward) for result in self.results],
        )


class Clients:
    """Several threads over one address; each posts a batch and reads it to its end."""

    def __init__(self, url: str, seed: int, threads: int) -> None:
        self._url = url
        self._waiting: queue.SimpleQueue[list[Task] | None] = queue.SimpleQueue()
        self.posted: list[Posted] = []
        self._threads = [
            threading.Thread(target=self._work, args=(random.Random(f"{seed} {n}"),), daemon=True)
            for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def give(self, batch: list[Task]) -> None:
        """Have a batch posted by the next thread that is free."""
        self._waiting.put(batch)

    def finish(self) -> None:
        """Wait until everything given was posted and read to its end."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, chance: random.Random) -> None:
        with Client(self._url) as client:
            while (tasks := self._waiting.get()) is not None:
                posted = Posted(tasks)
                self.posted.append(posted)
                try:
                    self._run(client, posted, chance)
                except ProctorError as error:
                    posted.failure = f"{type(error).__name__}: {error}"

    def _run(self, client: Client, posted: Posted, chance: random.Random) -> None:
        batch = client.submit(task.item for task in posted.tasks)
        posted.id = batch.id
        # Some readers go away in the middle and come back with their cursor, as after a crash.
        leaves_after = chance.choice([None, chance.randint(0, len(posted.tasks))])
        if leaves_after is not None:
            stream = batch.results(timeout_s=_PATIENCE_S)
            for result in stream:
                posted.results.append(result)
                if len(posted.results) == leaves_after:
                    stream.close()
            batch = client.batch(batch.id)
        posted.results += batch.results(cursor=len(posted.results), timeout_s=_PATIENCE_S)
