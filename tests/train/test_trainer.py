"""The training loop with a judge in memory: what it learns from, what it waits for, how it ends."""

import math
import pickle
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
import torch

from proctor import InvalidRequest, Reward, Unscored
from proctor.testing import FakeServer
from proctor.train import checkpoints
from proctor.train.grpo import Objective
from proctor.train.model import Policy
from proctor.train.rollouts import Asking, Judge, Judged, Prompt, Rollout
from proctor.train.sampling import Samples
from proctor.train.tokens import Tokenizer
from proctor.train.trainer import Metrics, Settings, Trainer
from tests.train import small
from tests.train.small import FakeJudge, Said

LETTERS = small.Letters()
PROMPTS = [Prompt(f"p/{letter}", letter) for letter in "abcd"]
TIMES = {"sample_s", "wait_s", "step_s", "wait_share", "tokens_per_s"}
WAIT_S = 60.0  # for what comes at once, unless the test fails


def made(
    judge: Judge,
    *,
    policy: Policy | None = None,
    prompts: Sequence[Prompt] = PROMPTS,
    groups: int = 2,
    tokenizer: Tokenizer = LETTERS,
    reference: Policy | None = None,
    **options: Any,
) -> Trainer:
    defaults = {"steps": 6, "prompts": groups, "group": 4, "longest": 5, "rate": 0.01, "warm_up": 0}
    settings = Settings(**(defaults | options))
    return Trainer(
        policy or small.transformer(), tokenizer, prompts, judge, settings, reference=reference
    )


def vowels(problem: str, text: str) -> float:
    """A reward that most groups differ in."""
    return sum(letter in "ae" for letter in text) / 5


def untimed(metrics: Metrics) -> Metrics:
    return {name: value for name, value in metrics.items() if name not in TIMES}


def run(trainer: Trainer, steps: int = 1000) -> list[Metrics]:
    """The figures of so many steps at most, without times."""
    found: list[Metrics] = []
    running = trainer.run()
    for metrics in running:
        assert metrics.keys() >= TIMES
        found.append(untimed(metrics))
        if len(found) == steps:
            break
    return found


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: each.clone() for name, each in trainer.policy.state_dict().items()}


def assert_same(one: Any, other: Any) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


# -- learning ---------------------------------------------------------------------------------


def test_it_learns_what_is_rewarded() -> None:
    judge = FakeJudge(lambda _, text: float(text == "c"))
    undecided = small.Bigram(torch.zeros(LETTERS.size, LETTERS.size))
    steps = run(made(judge, policy=undecided, steps=30, group=16, longest=1, rate=0.3))
    assert steps[0]["reward"] < 0.3
    assert sum(step["reward"] for step in steps[-5:]) / 5 > 0.9


@pytest.mark.parametrize("scale", ["std", "none"])
@pytest.mark.parametrize("average", ["tokens", "completions", "constant"])
def test_it_learns_to_answer_each_prompt_otherwise(scale: Any, average: Any) -> None:
    judge = FakeJudge(lambda problem, text: float(text == problem[-1]))
    steps = run(
        made(
            judge,
            steps=40,
            groups=4,
            group=16,
            longest=1,
            rate=0.02,
            objective=Objective(scale=scale, average=average),
        )
    )
    assert steps[0]["reward"] < 0.4
    assert sum(step["reward"] for step in steps[-5:]) / 5 > 0.9


def test_any_model_of_hugging_faces_learns_too() -> None:
    judge = FakeJudge(lambda _, text: float(text == "c"))
    steps = run(made(judge, policy=small.llama(), steps=12, group=16, longest=1, rate=0.02))
    assert sum(step["reward"] for step in steps[-3:]) > sum(step["reward"] for step in steps[:3])
    assert steps[-1]["reward"] > 0.8


def test_every_prompt_comes_once_before_any_comes_again() -> None:
    seen: list[str] = []

    class Listening(FakeJudge):
        def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
            seen.extend(problems)
            return super().judge(problems, completions)

    run(made(Listening(vowels), steps=6, groups=2, group=3))
    assert [len(set(seen[at : at + 3])) for at in range(0, 36, 3)] == [1] * 12  # group by group
    orders = [seen[at : at + 12 : 3] for at in (0, 12, 24)]
    assert [sorted(order) for order in orders] == [[prompt.problem_id for prompt in PROMPTS]] * 3
    assert len({tuple(order) for order in orders}) > 1


def test_the_rate_rises_while_it_warms_up() -> None:
    steps = run(made(FakeJudge(vowels), rate=0.1, warm_up=4))
    assert [step["rate"] for step in steps] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1])


def test_the_rate_falls_to_its_last_share_by_the_last_step() -> None:
    steps = run(made(FakeJudge(vowels), steps=5, rate=0.1, last_rate=0.2))
    assert [step["rate"] for step in steps] == pytest.approx([0.1, 0.08, 0.06, 0.04, 0.02])


def test_several_passes_are_made_over_a_rollout_and_clipped() -> None:
    once, often = (
        run(made(FakeJudge(vowels), group=8, passes=passes, overlap=False)) for passes in (1, 4)
    )
    assert {step["clipped"] for step in once} == {0}
    assert max(step["clipped"] for step in often) > 0
    assert [step["staleness"] for step in often] == [0] * 6


def test_parts_of_any_size_learn_the_same() -> None:
    objective = Objective(average="completions")
    for_all, for_parts = (
        made(FakeJudge(vowels), groups=4, rows=rows, objective=objective) for rows in (1000, 3)
    )
    assert [s["reward"] for s in run(for_all)] == [s["reward"] for s in run(for_parts)]
    torch.testing.assert_close(weights(for_all), weights(for_parts), rtol=1e-3, atol=1e-4)


def test_it_computes_in_bfloat16_and_keeps_its_weights() -> None:
    trainer = made(FakeJudge(vowels), precision="bfloat16")
    before = weights(trainer)
    steps = run(trainer)
    assert all(math.isfinite(value) for step in steps for value in step.values())
    assert {each.dtype for each in weights(trainer).values()} == {torch.float32}
    assert not torch.equal(weights(trainer)["embedding.weight"], before["embedding.weight"])


def test_a_reference_holds_the_policy_close_and_the_distance_is_logged() -> None:
    def distances(kl: float) -> list[float]:
        trainer = made(
            FakeJudge(vowels),
            reference=small.transformer(),
            objective=Objective(kl=kl),
            steps=15,
            overlap=False,
        )
        return [step["kl"] for step in run(trainer) if not step["skipped"]]

    free, held = distances(1e-6), distances(3.0)
    assert free[0] == held[0] == pytest.approx(0, abs=1e-6)
    assert all(distance > 0 for distance in free[1:])
    assert held[-1] < free[-1] / 3


# -- what is logged ---------------------------------------------------------------------------


def test_a_steps_figures_by_hand() -> None:
    policy = small.bigram(
        {"a": {"b": 1.0}, "b": {"c": 1.0}, "c": {"": 1.0}, "g": {"g": 1.0}}, LETTERS
    )
    # "a" is answered "bc" and an end at the last place; "g" goes on and on.
    worth: dict[str, Iterator[float | None]] = {"p/a": iter([1.0, 0.5]), "p/g": iter([0.0, None])}
    judge = FakeJudge(lambda problem, _: next(worth[problem]))
    prompts = [Prompt("p/a", "a"), Prompt("p/g", "g")]
    (step,) = run(made(judge, policy=policy, prompts=prompts, steps=1, group=2, longest=3))
    assert step["reward"] == step["pass_rate"] == pytest.approx(1.5 / 3)
    assert step["unscored"] == 1 / 4
    verdicts = {name: value for name, value in step.items() if name.startswith("verdict/")}
    assert verdicts == {"verdict/AC": 1 / 4, "verdict/WA": 2 / 4, "verdict/IE": 1 / 4}
    assert (step["length"], step["cut_off"]) == (3, 1 / 2)
    assert (step["unscored_groups"], step["equal_groups"], step["skipped"]) == (1, 0, 0)


# -- what could not be judged -----------------------------------------------------------------


def test_what_has_no_reward_is_left_out() -> None:
    # All of "a" could not be judged: what follows it in the table has to stay as it was.
    trainer = made(
        FakeJudge(lambda problem, text: None if problem == "p/a" else float(text < "d")),
        policy=small.Bigram(torch.zeros(LETTERS.size, LETTERS.size)),
        prompts=PROMPTS[:2],
        steps=3,
        longest=1,
    )
    steps = run(trainer)
    assert [step["unscored"] for step in steps] == [0.5] * 3
    assert [step["unscored_groups"] for step in steps] == [1] * 3
    table = weights(trainer)["table"]
    changed = [LETTERS.decode([row]) for row in range(LETTERS.size) if table[row].any()]
    assert changed == ["b"]


@pytest.mark.parametrize("worth", [None, 0.5])
@pytest.mark.parametrize("overlap", [True, False])
def test_a_step_that_teaches_nothing_changes_nothing(worth: float | None, overlap: bool) -> None:
    rewards = iter([vowels, *[lambda *_: worth] * 2, vowels])

    class Changing(FakeJudge):
        def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
            self.worth = next(rewards)
            return super().judge(problems, completions)

    trainer = made(Changing(vowels), steps=4, overlap=overlap)
    running = trainer.run()
    assert next(running)["skipped"] == 0
    state = trainer.state_dict()
    before = weights(trainer), [s["exp_avg"].clone() for s in state["optimizer"]["state"].values()]
    skipped = [next(running), next(running)]
    after = [s["exp_avg"] for s in trainer.state_dict()["optimizer"]["state"].values()]
    assert_same(weights(trainer), before[0])
    assert_same(after, before[1])
    for step in skipped:
        assert step["skipped"] == 1
        assert step["unscored_groups"] + step["equal_groups"] == 2
        assert step.get("reward") == worth
        assert "loss" not in step
    last = next(running)
    assert (last["step"], last["skipped"], last["staleness"]) == (4, 0, 0)
    assert not torch.equal(weights(trainer)["norm.weight"], before[0]["norm.weight"])


# -- overlap ----------------------------------------------------------------------------------


class Counted(small.Letters):
    """Counts the completions that were sampled; others can wait for a number of them."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()
        self.completions = 0

    def decode(self, ids: Sequence[int]) -> str:
        with self.changed:
            self.completions += 1
            self.changed.notify_all()
        return super().decode(ids)

    def wait_for(self, completions: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.completions >= completions, WAIT_S)


def test_the_next_rollout_is_sampled_while_one_is_judged() -> None:
    letters = Counted()
    found: list[bool] = []

    class Waiting(FakeJudge):
        def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
            # Only when the whole of the next rollout is there does this one get its rewards.
            found.append(letters.wait_for(8 * min(6, len(self.calls) + 2)))
            return super().judge(problems, completions)

    steps = run(made(Waiting(vowels), tokenizer=letters))
    assert found == [True] * 6
    assert letters.completions == 8 * 6
    assert [step["staleness"] for step in steps] == [0, 1, 1, 1, 1, 1]


def test_without_overlap_nothing_is_sampled_before_the_rewards_are_there() -> None:
    letters = Counted()
    sampled: list[int] = []

    class Looking(FakeJudge):
        def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
            sampled.append(letters.completions)
            return super().judge(problems, completions)

    trainer = made(Looking(vowels), tokenizer=letters, overlap=False)
    for metrics in trainer.run():
        assert metrics["staleness"] == 0
        assert sampled[-1] == letters.completions == 8 * metrics["step"]


def test_the_waiting_is_timed() -> None:
    began, waiting = threading.Event(), threading.Event()

    class Slow(FakeJudge):
        def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
            began.set()
            assert waiting.wait(WAIT_S)
            return super().judge(problems, completions)

    trainer = made(Slow(vowels), steps=1)

    def release() -> None:
        assert began.wait(WAIT_S)
        waiting.set()

    releasing = threading.Thread(target=release)
    releasing.start()
    (metrics,) = trainer.run()
    releasing.join()
    assert 0 < metrics["wait_s"] < metrics["step_s"]
    assert metrics["wait_share"] == metrics["wait_s"] / metrics["step_s"]
    assert metrics["sample_s"] < metrics["step_s"]
    assert metrics["tokens_per_s"] == pytest.approx(
        metrics["length"] * 8 / metrics["step_s"], rel=1e-6
    )


# -- going on ---------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("passes", [1, 2])
def test_a_run_that_is_resumed_is_the_run_that_was_not_interrupted(
    tmp_path: Path, overlap: bool, passes: int
) -> None:
    options: dict[str, Any] = {"overlap": overlap, "passes": passes, "warm_up": 5}
    straight = made(FakeJudge(vowels), **options)
    expected = run(straight)
    first = made(FakeJudge(vowels), **options)
    found = run(first, steps=3)
    checkpoints.save(tmp_path, {"trainer": first.state_dict()})
    # Another policy, another chance: all has to come from the checkpoint.
    torch.manual_seed(123)
    random.seed(123)
    judge = FakeJudge(vowels)
    second = made(judge, policy=small.transformer(seed=9), **options)
    state = checkpoints.load(tmp_path)
    assert state is not None
    second.load_state_dict(state["trainer"])
    assert second.step == 3
    found += run(second)
    assert found == expected
    assert_same(weights(second), weights(straight))
    assert_same(second.state_dict(), straight.state_dict())
    # What was being judged is asked again, for its answer was not kept.
    in_flight = state["trainer"]["unlearned"]
    assert len(in_flight) == int(overlap)
    assert len(judge.calls) == 3
    for kept in in_flight:
        assert judge.calls[0] == kept["samples"][-1]


def test_a_checkpoint_of_a_run_not_yet_begun_is_the_one_it_goes_on_from(tmp_path: Path) -> None:
    first = made(FakeJudge(vowels))
    run(first, steps=3)
    state = first.state_dict()
    second = made(FakeJudge(vowels), policy=small.transformer(seed=9))
    second.load_state_dict(state)
    kept = second.state_dict()
    assert repr(kept.pop("unlearned")) == repr(state.pop("unlearned"))
    assert_same(kept, state)


def test_a_run_that_was_left_can_be_gone_on_with() -> None:
    expected = run(made(FakeJudge(vowels)))
    trainer = made(FakeJudge(vowels))
    assert run(trainer, steps=2) + run(trainer, steps=1) + run(trainer) == expected
    assert run(trainer) == []


def test_a_run_that_ended_by_an_error_can_be_gone_on_with() -> None:
    expected = run(made(FakeJudge(vowels)))

    class Failing(FakeJudge):
        def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
            answers = super().judge(problems, completions)
            if len(self.calls) == 3:
                raise OSError("gone")
            return answers

    trainer = made(Failing(vowels))
    with pytest.raises(OSError, match="gone"):
        run(trainer)
    assert trainer.step == 2
    assert expected[:2] + run(trainer) == expected


def test_there_is_no_checkpoint_in_an_empty_folder(tmp_path: Path) -> None:
    assert checkpoints.load(tmp_path) is None


def test_a_checkpoint_that_could_not_be_written_leaves_the_last(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, {"step": 1})
    with pytest.raises(pickle.PicklingError):
        checkpoints.save(tmp_path, {"step": 2, "cannot be written": type("Local", (), {})()})
    assert checkpoints.load(tmp_path) == {"step": 1}


# -- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", [True, False])
def test_a_wrong_problem_id_stops_the_run_at_once(overlap: bool) -> None:
    server = FakeServer(check_problems=True)
    prompts = [Prompt("no/such", "a")]
    with Reward(transport=server, on_failure="zero", form="source") as judge:
        trainer = made(judge, prompts=prompts, overlap=overlap)
        before = weights(trainer)
        with pytest.raises(InvalidRequest, match="'no/such'"):
            run(trainer)
    assert_same(weights(trainer), before)
    assert trainer.step == 0


def test_what_was_asked_after_a_failure_is_not_judged_first() -> None:
    both_asked = threading.Event()

    class Failing(FakeJudge):
        def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
            super().judge(problems, completions)
            assert both_asked.wait(WAIT_S)
            raise OSError("gone")

    judge = Failing(vowels)
    nothing = torch.zeros(1, 1)
    rollout = Rollout(PROMPTS[:1], Samples(nothing, nothing.bool(), nothing, ["a"]), 0)
    with Asking(judge) as asking:
        first, second = asking.ask(rollout), asking.ask(rollout)
        both_asked.set()
        with pytest.raises(OSError, match="gone"):
            first.wait()
        with pytest.raises(CancelledError):
            second.wait()
    assert len(judge.calls) == 1


@pytest.fixture
def blocking() -> Iterator[Callable[[], Any]]:
    """Makes judges that answer once, and then not until the test is over."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    class Blocking(FakeJudge):
        begun = threading.Event()
        ended = False

        def judge(self, problems: Sequence[str], completions: Sequence[str]) -> Sequence[Judged]:
            answers = super().judge(problems, completions)
            if len(self.calls) > 1:
                threads.append(threading.current_thread())
                self.begun.set()
                over.wait(WAIT_S)
                self.ended = True
            return answers

    yield lambda: Blocking(vowels)
    over.set()
    for thread in threads:
        thread.join()


def test_who_leaves_a_run_waits_for_no_judge(blocking: Callable[[], Any]) -> None:
    judge = blocking()
    running = made(judge).run()
    next(running)
    assert judge.begun.wait(WAIT_S)
    running.close()  # type: ignore[attr-defined]  # what run gives is a generator
    assert not judge.ended


def test_the_end_of_a_reward_ends_what_it_is_asked() -> None:
    server = FakeServer()
    server.hold()
    with Reward(transport=server, form="source") as judge:
        running = made(judge, steps=1).run()
        found: list[BaseException] = []

        def wait() -> None:
            try:
                next(running)
            except BaseException as error:
                found.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        while not server.requests:
            waiting.join(0.01)
    waiting.join(WAIT_S)
    assert len(found) == 1


def test_a_reward_that_raises_for_unscored_samples_stops_the_run() -> None:
    server = FakeServer(lambda _: None)
    with (
        Reward(transport=server, on_failure="raise", form="source") as judge,
        pytest.raises(Unscored, match="could not be judged"),
    ):
        run(made(judge))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group": 1}, "group is 1: advantages need 2 completions or more"),
        ({"temperature": 0.0}, "temperature is 0.0: sampling needs one above 0"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"prompts": 0}, "prompts is 0"),
        ({"longest": 0}, "longest is 0"),
        ({"passes": 0}, "passes is 0"),
        ({"rows": 0}, "rows is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings(**options)


def test_a_trainer_without_prompts_or_with_half_a_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="no prompts"):
        made(FakeJudge(vowels), prompts=[])
    for objective, reference in [(Objective(kl=0.1), None), (Objective(), small.transformer())]:
        with pytest.raises(ValueError, match="a reference policy goes with"):
            made(FakeJudge(vowels), objective=objective, reference=reference)


def test_a_result_of_the_clients_is_a_judgement() -> None:
    said: Judged = Said(1.0)
    assert (said.reward, said.pass_rate, said.verdict) == (1.0, 1.0, "AC")
    server = FakeServer(lambda program: vowels("", program.text))
    with Reward(transport=server, form="source") as judge:
        assert run(made(judge)) == run(made(FakeJudge(vowels)))
