"""Several worker hosts against one Redis, each a network namespace with a host name of its own."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from proctor import Client, ConnectionFailed
from proctor.types import Item, Problem, StdinTest
from proctor_server.up import redis_server
from proctor_server.version import VERSION
from tests.conftest import missing
from tests.integration.namespaces import Host, hosts
from tests.integration.stack import alternating, until

pytestmark = pytest.mark.usefixtures("bubblewrap")

ECHO = Problem(id="hosts/echo", tests=[StdinTest(input="7\n", output="7\n")])
# A heart that stopped is noticed after 9 s, looked for every 2 s; the rest is a busy machine's.
# RQ's own period is a minute longer.
TAKEN_UP_WITHIN_S = 40


@dataclass
class Fleet:
    """A Redis and an API on hosts of their own, and two worker hosts."""

    api: Host
    workers: list[Host]
    client: Client

    def listed(self) -> dict[str, dict[str, Any]]:
        """What the API says of the worker of each host that is there."""
        info = httpx.get(f"http://{self.api.address}:8077/v1/info", trust_env=False).json()
        return {one["host"]: one for one in info["workers"]}

    def answered(self) -> int:
        """How many programs the workers that are there say they have answered."""
        return sum(one["units"] for one in self.listed().values())


@pytest.fixture
def fleet(redis_secrets: Path, tmp_path: Path) -> Iterator[Fleet]:
    if os.geteuid() != 0:
        missing("only root may make network namespaces")
    for tool in ("ip", "nsenter", "unshare"):
        if shutil.which(tool) is None:
            missing(f"no {tool}; apt-get install iproute2 util-linux")
    with hosts("redis-1", "api-1", "worker-1", "worker-2") as (store, api, first, second):
        users = redis_secrets / "redis-users.acl"
        options = ["--bind", store.address, "--aclfile", str(users), "--save", ""]
        store.start([redis_server(), *options, "--dir", str(tmp_path)])

        def proctor(role: str) -> dict[str, str]:
            return os.environ | {
                "PROCTOR_REDIS_URL": f"redis://{role}@{store.address}:6379/0",
                "PROCTOR_REDIS_PASSWORD_FILE": str(redis_secrets / f"redis-{role}"),
                "PROCTOR_SANDBOX": "bubblewrap",
            }

        argv = [sys.executable, "-m", "proctor"]
        api.start([*argv, "api"], proctor("api") | {"PROCTOR_HOST": api.address})
        for host in (first, second):
            host.start([*argv, "worker"], proctor("worker"))
        with api.here(), Client(f"http://{api.address}:8077") as client:
            fleet = Fleet(api, [first, second], client)
            until(lambda: answers(client) and len(fleet.listed()) == 2, "both workers")
            client.put_problem(ECHO)
            yield fleet


def answers(client: Client) -> bool:
    try:
        return bool(client.info().version)
    except ConnectionFailed:
        return False


def items(count: int, mark: str) -> list[Item]:
    return alternating(ECHO.id, count, mark, "int(input())")


def test_workers_of_several_hosts_score_a_batch_and_say_where_they_are(fleet: Fleet) -> None:
    rewards = fleet.client.submit(items(60, "both")).rewards(timeout_s=60)
    assert rewards == [1.0 - number % 2 for number in range(60)]
    until(lambda: fleet.answered() == 60, "the workers' own count")
    listed = fleet.listed()
    assert set(listed) == {"worker-1", "worker-2"}
    for one in listed.values():
        assert (one["slots"], one["version"]) == (1, VERSION)
        assert "python" in one["languages"]
        assert one["units"] > 0


def test_a_host_that_loses_power_loses_no_work_and_leaves_the_list(fleet: Fleet) -> None:
    lost, left = fleet.workers
    batch = fleet.client.submit(items(100, "power"))
    until(lambda: batch.status().completed >= 10, "the first results")
    lost.lose_power()
    died = time.monotonic()
    # What was queued is done in a few seconds; the last results are those of the lost host.
    results = sorted(batch.results(timeout_s=60), key=lambda result: result.index)
    assert time.monotonic() - died < TAKEN_UP_WITHIN_S
    got = [(result.index, result.reward, result.reason) for result in results]
    assert got == [(index, 1.0 - index % 2, None) for index in range(100)]
    until(lambda: set(fleet.listed()) == {left.name}, "the dead host to be off the list")
