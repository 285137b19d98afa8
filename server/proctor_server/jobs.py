"""What the queue runs: one function, which hands its chunk to the worker's runner."""

from contextvars import ContextVar
from typing import Protocol


class Runner(Protocol):
    """What takes up chunks in this process."""

    def run(self, chunk_id: str) -> None:
        """Run what of a chunk has no outcome yet."""


# Set by the worker before it takes jobs; a job itself can only name its chunk.
runner: ContextVar[Runner] = ContextVar("runner")


def run_chunk(chunk_id: str) -> None:
    """Run one chunk. Raises LookupError outside of a Proctor worker."""
    runner.get().run(chunk_id)
