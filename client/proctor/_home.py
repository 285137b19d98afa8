"""What a picklable object has in one process: gatherers by event loop, a loop of its own, counts.

None of it can cross to another process. It is made where it is first needed, and known by the
process's id: a fork finds its parent's, whose sockets and threads are not its own.
"""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from proctor._gatherer import Gatherer
from proctor.summary import Summary, Tally
from proctor.types import Result

T = TypeVar("T")


class Home:
    """The part of a reward that belongs to one process.

    Args:
        make: makes a gatherer, within the event loop for which it is.
    """

    def __init__(self, make: Callable[[], Gatherer]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._gatherers: dict[asyncio.AbstractEventLoop, Gatherer] = {}
        self._background: _Background | None = None
        self._tally = Tally(by_problem=False)

    def gatherer(self) -> Gatherer:
        """The gatherer of the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            found = self._gatherers.get(loop)
            if found is None:
                # A gatherer holds its loop, so no weak key would ever let go of either.
                self._gatherers = {o: g for o, g in self._gatherers.items() if not o.is_closed()}
                found = self._gatherers[loop] = self._make()
            return found

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run async work to its end in a thread's event loop, whatever this thread is doing."""
        with self._lock:
            if self._background is None:
                self._background = _Background()
            background = self._background
        return background.run(work)

    def count(self, results: Iterable[Result | None]) -> None:
        """Add to the running summary."""
        with self._lock:
            for result in results:
                self._tally.add(result)

    def summary(self, reset: bool) -> Summary:
        """What was counted, since the last reset."""
        with self._lock:
            found = self._tally.summary()
            if reset:
                self._tally = Tally(by_problem=False)
            return found

    def close(self) -> None:
        """End the thread, and with its loop the connections that were made in it."""
        with self._lock:
            background, self._background = self._background, None
        if background is not None:
            background.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        with self._lock:
            found = self._gatherers.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.close()


class _Background:
    """An event loop in a daemon thread. Ends when closed, forgotten, or with the process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(
            target=_run_forever, args=(self._loop,), name="proctor-rewards", daemon=True
        )
        thread.start()
        self.close = weakref.finalize(self, _end, self._loop, thread, os.getpid())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # After Ctrl-C nobody waits for it: programs that were not run yet are not to be.
            future.cancel()
            raise


# -- helpers ----------------------------------------------------------------------------------


def _run_forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread, process_id: int) -> None:
    # In a fork the thread does not run, and the loop's selector is shared with the parent.
    if os.getpid() != process_id or loop.is_closed():
        return
    loop.call_soon_threadsafe(loop.stop)
    if thread is not threading.current_thread():
        thread.join()
