"""Training through failures of a real server: none of them is held against a program."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from proctor import Client, InvalidRequest, Judged, Reward, Verdict
from proctor.train.model import HuggingFacePolicy
from proctor.train.rollouts import Prompt
from proctor.train.tokens import HuggingFaceTokenizer
from proctor.train.trainer import Metrics, Settings, Trainer
from proctor_server.up import free_port
from tests.integration.test_up import running
from tests.train import small, tiny

PROMPTS = [Prompt(problem_id, problem_id) for problem_id in tiny.ANSWERS]


class Disturbed:
    """A reward that remembers what it said; before its nth call, something happens."""

    def __init__(self, reward: Reward, happens: dict[int, Callable[[], None]]) -> None:
        self._reward = reward
        self._happens = happens
        self.calls = 0
        # Each problem and completion, with its reward and verdict.
        self.said: list[tuple[str, str, float | None, Verdict | None]] = []

    def judge(self, problems: Sequence[str], completions: Sequence[str]) -> list[Judged]:
        self.calls += 1
        self._happens.get(self.calls, lambda: None)()
        judged = self._reward.judge(problems, completions)
        for problem, text, each in zip(problems, completions, judged, strict=True):
            self.said.append((problem, text, each.reward, each.verdict))
        return judged


def trained(
    judge: Disturbed,
    *,
    prompts: Sequence[Prompt] = PROMPTS,
    after: dict[int, Callable[[], None]] | None = None,
    overlap: bool = True,
) -> list[Metrics]:
    """Four steps of a policy that writes whole programs; `after` some steps, something happens."""
    assert small.Letters.end == 0  # imported for its one thread
    settings = Settings(steps=4, prompts=2, group=8, longest=1, rate=0.01, overlap=overlap)
    tokenizer = HuggingFaceTokenizer(tiny.tokenizer())
    trainer = Trainer(HuggingFacePolicy(tiny.model()), tokenizer, prompts, judge, settings)
    found: list[Metrics] = []
    for metrics in trainer.run():
        found.append(metrics)
        (after or {}).get(len(found), lambda: None)()
    return found


def assert_all_judged_as_ever(judge: Disturbed, steps: list[Metrics], url: str) -> None:
    """Whether every program has the reward that a server has for it to which nothing happened."""
    assert len(steps) == judge.calls == 4
    assert len(judge.said) == 4 * 16
    assert [step["unscored"] for step in steps] == [0] * 4
    assert {reward for _, _, reward, _ in judge.said} == {0.0, 0.5, 1.0}
    problems, texts, rewards, verdicts = zip(*judge.said, strict=True)
    with Reward(url, fresh=True) as undisturbed:
        expected = undisturbed.judge(problems, texts)
    assert [each.reward for each in expected] == list(rewards)
    assert [each.verdict for each in expected] == list(verdicts)


class Server:
    """A `proctor up` that can be stopped and started: the same port, the same data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._running = contextlib.ExitStack()
        self.starts = 0

    def start(self) -> None:
        self.up = self._running.enter_context(running(self._folder, port=self._port))
        self.starts += 1

    def stop(self) -> None:
        self._running.close()


@pytest.fixture(scope="module")
def server(bubblewrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests' own, since other tests want theirs undisturbed."""
    server = Server(tmp_path_factory.mktemp("disturbed"))
    server.start()
    try:
        with Client(server.up.url) as client:
            client.import_problems(tiny.PROBLEMS)
        yield server
    finally:
        server.stop()


def test_a_server_that_is_stopped_and_started_between_steps_costs_no_reward(
    server: Server, tiny_url: str
) -> None:
    asked = threading.Event()
    starts = server.starts

    def start_when_asked() -> None:
        assert asked.wait(60)
        server.start()

    starting = threading.Thread(target=start_when_asked)

    def stop() -> None:
        server.stop()
        starting.start()

    with Reward(server.up.url, fresh=True) as reward:
        # It is started only when a rollout finds nobody there.
        judge = Disturbed(reward, {3: asked.set})
        try:
            # Without overlap nothing is being judged when it is stopped.
            steps = trained(judge, after={2: stop}, overlap=False)
        finally:
            asked.set()
            if starting.ident is not None:
                starting.join()
    assert server.starts == starts + 1
    assert steps[2]["wait_s"] > steps[1]["wait_s"]
    assert_all_judged_as_ever(judge, steps, tiny_url)


@pytest.mark.parametrize("part", ["proctor api", "proctor worker", "redis-server"])
def test_a_part_of_it_that_is_killed_within_a_step_costs_none(
    server: Server, tiny_url: str, part: str
) -> None:
    killed: list[psutil.Process] = []

    def kill() -> None:
        killed.append(server.up.child(part))
        killed[-1].kill()

    with Reward(server.up.url, fresh=True) as reward:
        judge = Disturbed(reward, {2: kill})
        steps = trained(judge)
    assert len(killed) == 1
    assert not killed[0].is_running()
    assert_all_judged_as_ever(judge, steps, tiny_url)


def test_a_wrong_id_stops_the_run_with_its_name(tiny_url: str) -> None:
    with Reward(tiny_url, on_failure="zero") as reward:
        judge = Disturbed(reward, {})
        with pytest.raises(InvalidRequest, match="'tiny/nxt'"):
            trained(judge, prompts=[*PROMPTS, Prompt("tiny/nxt", "tiny/next")])
    assert judge.calls <= 2


def test_no_program_at_all_is_a_bad_program_and_no_error(tiny_url: str) -> None:
    with Reward(tiny_url, form="source") as reward:
        judged = reward.judge("tiny/next", ["", tiny.ANSWERS["tiny/next"]])
    assert [(each.reward, each.verdict) for each in judged] == [(0.0, "CE"), (1.0, "AC")]
