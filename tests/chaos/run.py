"""A whole run: clients at work while faults happen, and the report of what came of it."""

import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from proctor import Client
from tests.chaos.clients import Clients, Posted
from tests.chaos.engine import own_engine
from tests.chaos.faults import ENGINE_FAULTS, FAULTS, Scene, inject, schedule
from tests.chaos.proxy import Proxy
from tests.chaos.report import Report
from tests.chaos.stack import ChaosStack, Kind, chaos_stack
from tests.chaos.workload import batches, problems
from tests.integration.stack import until


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of. The same plan injects the same faults in the same order.

    `engine`: with faults of dockerd, one of the harness's own, which gets the images with `tag`.
    `submissions` are posted at least; the last batch, and faults that find no work, add some.
    """

    seed: int
    submissions: int
    sandbox: Kind
    rounds: int = 3
    workers: int = 3
    clients: int = 4
    pause_s: float = 15.0
    gap_s: float = 2.0
    engine: bool = False
    tag: str = "latest"


class Work:
    """Batches, given to the clients as faults go on, so that each fault finds some under way."""

    def __init__(self, plan: Plan, faults: int, clients: Clients) -> None:
        self._batches = batches(plan.seed)
        self._wanted = plan.submissions
        self._share = plan.submissions / (faults + 1)
        self._clients = clients
        self._due = 0.0
        self._given = 0

    def more(self) -> None:
        """Give out one fault's share."""
        self._due += self._share
        while self._given < self._due:
            batch = next(self._batches)
            self._given += len(batch)
            self._clients.give(batch)

    def rest(self) -> None:
        """Give out what is left."""
        while self._given < self._wanted:
            self.more()


def run(plan: Plan, folder: Path, say: Callable[[str], object] = print) -> Report:
    """Run the plan with all its files in `folder`."""
    with contextlib.ExitStack() as opened:
        engine = (
            opened.enter_context(own_engine(folder / "engine", plan.tag)) if plan.engine else None
        )
        stack = opened.enter_context(chaos_stack(folder, plan.sandbox, plan.workers))
        between = opened.enter_context(contextlib.closing(Proxy(stack.port)))
        direct = opened.enter_context(Client(f"http://127.0.0.1:{stack.port}"))
        direct.import_problems(problems())
        chance = random.Random(plan.seed)
        kinds = [*FAULTS, *ENGINE_FAULTS] if plan.engine else FAULTS
        faults = schedule(chance, kinds, plan.rounds)
        clients = Clients(between.url, plan.seed, plan.clients)
        work = Work(plan, len(faults), clients)
        scene = Scene(stack, between, chance, work.more, plan.pause_s, plan.gap_s, engine, say=say)
        report = Report(faults=len(faults))
        for fault in faults:
            inject(scene, fault)
        work.rest()
        clients.finish()
        report.recovered(scene.recoveries)
        for posted in clients.posted:
            report.count(posted.id or "a batch never accepted", posted.read())
        _audit(direct, clients.posted, report)
        _leftovers(stack, clients.posted, report)
    return report


def _audit(client: Client, posted: Sequence[Posted], report: Report) -> None:
    """What is stored is what the clients were told, in the same order."""
    for one in posted:
        if one.failure:
            report.notes.append(f"{one.id or 'a batch'}: its client gave up: {one.failure}")
        if not one.id:
            continue
        stored = [(result.index, result.reward) for result in client.batch(one.id).results()]
        if stored != one.read().got:
            report.differing += 1
            report.notes.append(f"{one.id}: read again, it is another stream")


def _leftovers(stack: ChaosStack, posted: Sequence[Posted], report: Report) -> None:
    """A batch that no client knows of was accepted twice; work that nobody waits for is lost."""
    known = {one.id for one in posted}
    for key in stack.redis.scan_iter("proctor:batch:*"):
        name = key.decode().rpartition(":")[2]
        if name not in known:
            total = int(stack.redis.hget(key, "total") or 0)
            report.doubled += total
            report.notes.append(f"{name}: was accepted, and no client knows of it")
    until(lambda: not stack.redis.zcard("proctor:chunks"), "the last chunk to be forgotten")
    pending = int(stack.redis.get("proctor:pending") or 0)
    if pending:
        report.lost += abs(pending)
        report.notes.append(f"{pending} units count as pending after the end")
