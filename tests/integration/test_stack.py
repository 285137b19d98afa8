"""A Proctor of a run's own: there when asked, gone afterwards, clear when it cannot be."""

import httpx
import psutil
import pytest

from proctor import Client, Problem, Reward, StdinTest
from proctor.stack import NoStack, embedded_stack

pytestmark = pytest.mark.usefixtures("bubblewrap")

ECHO = Problem(id="stack/echo", tests=[StdinTest(input="7", output="7")])


def ready(url: str) -> bool:
    return httpx.get(f"{url}/readyz", trust_env=False).is_success


def test_it_judges_and_leaves_nothing_behind_however_the_run_ends() -> None:
    before = set(psutil.Process().children(recursive=True))
    tree: set[psutil.Process] = set()
    url = ""

    def train() -> None:
        nonlocal url
        with embedded_stack() as url:
            assert ready(url)
            tree.update(set(psutil.Process().children(recursive=True)) - before)
            with Client(url) as client, Reward(url, form="source") as reward:
                client.put_problem(ECHO)
                assert reward.score(ECHO.id, ["print(input())", "print(8)"]) == [1.0, 0.0]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert len(tree) > 3  # the server, Redis, the API, workers
    assert psutil.wait_procs(tree, timeout=10)[1] == []
    with pytest.raises(httpx.ConnectError):
        ready(url)


def test_why_it_could_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCTOR_SANDBOX", "cardboard")
    with pytest.raises(NoStack, match="ended with status 2 before it was ready") as raised:
        embedded_stack().__enter__()
    assert "PROCTOR_SANDBOX: Input should be" in str(raised.value)
