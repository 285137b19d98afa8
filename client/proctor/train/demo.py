"""`make train-demo`: a small model that learns to program from Proctor's rewards.

Tasks are made and validated, a model is pretrained on imperfect demonstrations, and then it
learns from what the judge says of its own programs. What it is measured on, it never saw.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import click
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from proctor._client import Client
from proctor._command_options import serving
from proctor.errors import ProctorError
from proctor.rewards import Reward
from proctor.train import checkpoints, logs
from proctor.train.evaluation import Evaluation, evaluate
from proctor.train.model import Policy, Size, Transformer
from proctor.train.pretraining import Pretraining, pretrain
from proctor.train.rollouts import Prompt
from proctor.train.tasks import Task, generate
from proctor.train.tokens import PieceTokenizer
from proctor.train.trainer import Metrics, Settings, Trainer
from proctor.train.validation import validate

# Tokens of the longest program of the family, and some room.
LONGEST = 72
# Programs sampled of each held-out task, before and after: of one alone chance makes two points.
SAMPLED = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything.

    Attributes:
        tasks: trained on.
        held_out: other tasks, measured on.
        pretraining: see there.
        training: see there.
        evaluate_every: steps from one look at held-out tasks to the next.
        checkpoint_every: steps from one checkpoint to the next.
        start: the pass rate on held-out tasks is to be this at most before GRPO,
        reach: and this at least after it.
    """

    tasks: int = 3000
    held_out: int = 200
    levels: tuple[int, ...] = (1, 2, 3, 4, 5)
    pretraining: Pretraining = field(default_factory=Pretraining)
    training: Settings = field(
        default_factory=lambda: Settings(
            steps=160, prompts=24, longest=LONGEST, rate=5e-4, last_rate=0.1, rows=96
        )
    )
    evaluate_every: int = 20
    checkpoint_every: int = 20
    start: float = 0.3
    reach: float = 0.8


FULL = Plan()
# What `make test` has time for: two levels, less of everything, and less to reach.
QUICK = Plan(
    tasks=240,
    held_out=80,
    levels=(1, 3),
    pretraining=Pretraining(steps=250, batch=48),
    training=replace(FULL.training, steps=40, prompts=12, rows=96),
    reach=0.25,
)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--seed", default=0, help="Of tasks, model, demonstrations and sampling.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("train-demo"),
    help="For metrics.jsonl, curves.png, the checkpoint and TensorBoard's files.",
)
@click.option("--url", help="Judge there instead of starting a server here.")
@click.option("--steps", type=click.IntRange(1), help="Instead of the plan's.")
@click.option("--quick", is_flag=True, help="Two of the five levels, in two minutes.")
@click.option("--overlap/--no-overlap", default=True, help="Sample while programs are judged.")
@click.option("--device", help="Where the model is.  [default: cuda if there is one, else cpu]")
@click.option("--width", default=128, help="Of the model.")
@click.option("--layers", default=3, help="Of the model.")
@click.option("--prompts", type=click.IntRange(1), help="In a step, instead of the plan's.")
@click.option("--group", type=click.IntRange(2), help="Completions of each, likewise.")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the folder.")
def main(
    seed: int,
    folder: Path,
    url: str | None,
    steps: int | None,
    quick: bool,
    overlap: bool,
    device: str | None,
    width: int,
    layers: int,
    prompts: int | None,
    group: int | None,
    precision: Literal["float32", "bfloat16"],
    resume: bool,
) -> None:
    """Train a small model from nothing on rewards of a real server; show what it learned.

    Ends with status 1 where it learned less than it was to.
    """
    plan = QUICK if quick else FULL
    training = replace(
        plan.training,
        steps=steps or plan.training.steps,
        prompts=prompts or plan.training.prompts,
        group=group or plan.training.group,
        overlap=overlap,
        precision=precision,
        seed=seed,
    )
    plan = replace(plan, training=training, pretraining=replace(plan.pretraining, seed=seed))
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    console = Console(highlight=False)
    try:
        with serving(url or "", embedded=url is None) as server:
            run = _Run(console, plan, folder, server, seed)
            reached = run.whole(where, width, layers, resume=resume)
    except (ProctorError, OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if reached else 1)


class _Run:
    def __init__(self, console: Console, plan: Plan, folder: Path, url: str, seed: int) -> None:
        self._console = console
        self._plan = plan
        self._folder = folder
        self._url = url
        self._seed = seed
        self._began = time.monotonic()

    def whole(self, device: torch.device, width: int, layers: int, *, resume: bool) -> bool:
        """Do all of it, and show what came of it: whether it is what was to be reached."""
        training = self._plan.training
        tasks, held_out = self._tasks()
        torch.manual_seed(self._seed)
        tokenizer = PieceTokenizer.of(
            text for task in tasks for text in (task.prompt, *task.programs())
        )
        # 32 to a head, as in the models that this is a small copy of.
        policy = Transformer(Size(tokenizer.size, width, layers, max(1, width // 32))).to(device)
        count = sum(parameter.numel() for parameter in policy.parameters())
        with Reward(self._url, form="source") as judge:
            trainer = Trainer(policy, tokenizer, [_prompt(task) for task in tasks], judge, training)
            look = _Look(tokenizer, [_prompt(task) for task in held_out], judge, training)
            state = checkpoints.load(self._folder) if resume else None
            if state is None:
                self._say(f"Pretraining a model of {count / 1e6:.2f}M parameters on {device}")
                self._pretrain(policy, tokenizer, tasks)
                before = look.at(policy)
            else:
                trainer.load_state_dict(state["trainer"])
                before = [Evaluation(**each) for each in state["before"]]
                self._say(f"Going on after step {trainer.step}")
            self._train(trainer, look, before)
            after = look.at(policy)
        metrics = logs.read(self._folder / logs.METRICS)
        logs.draw(
            metrics, self._folder / "curves.png", f"GRPO from Proctor's rewards, seed {self._seed}"
        )
        return self._show(before, after, metrics)

    def _tasks(self) -> tuple[list[Task], list[Task]]:
        """Tasks to train on and tasks to be measured on, all of them validated."""
        plan = self._plan
        self._say(f"Making {plan.tasks} tasks, and {plan.held_out} more to measure on")
        made = generate(plan.tasks + plan.held_out, self._seed, levels=plan.levels)
        with Client(self._url) as client:
            found = validate(made, client)
        self._say(
            f"Validated by {found.programs} programs; {found.caught} of {found.near_misses} "
            "near misses caught"
        )
        random.Random(self._seed).shuffle(made)  # noqa: S311  a seed is what is wanted
        return made[plan.held_out :], made[: plan.held_out]

    def _pretrain(self, policy: Transformer, tokenizer: PieceTokenizer, tasks: list[Task]) -> None:
        def demonstration(rng: random.Random) -> tuple[str, str]:
            task = rng.choice(tasks)
            return _prompt(task).text, task.demonstration(rng)

        settings = self._plan.pretraining
        with self._progress("Pretraining", settings.steps) as advance:
            for loss in pretrain(policy, tokenizer, demonstration, settings):
                advance(f"loss {loss:.3f}")

    def _train(self, trainer: Trainer, look: "_Look", before: list[Evaluation]) -> None:
        plan = self._plan
        self._say(
            f"GRPO: {plan.training.prompts} prompts x {plan.training.group} completions a step, "
            f"judged at {self._url}"
        )
        after = trainer.step or None
        with (
            logs.Log(self._folder, after=after) as log,
            self._progress("GRPO", plan.training.steps, trainer.step) as advance,
        ):
            for metrics in trainer.run():
                step = trainer.step
                if step % plan.evaluate_every == 0:
                    metrics["heldout"] = look.sampled(trainer.policy).pass_rate
                log.add(metrics)
                if step % plan.checkpoint_every == 0:
                    state = {
                        "trainer": trainer.state_dict(),
                        "before": [asdict(each) for each in before],
                    }
                    checkpoints.save(self._folder, state)
                advance(f"pass rate {metrics.get('pass_rate', 0.0):.2f}")

    def _show(
        self, before: list[Evaluation], after: list[Evaluation], metrics: list[Metrics]
    ) -> bool:
        table = Table(title=f"{self._plan.held_out} held-out problems, seed {self._seed}", box=None)
        for column in ("", "before", "after"):
            table.add_column(column, justify="left" if not column else "right")
        for place, how in enumerate(("sampled", "likeliest")):
            was, now = before[place], after[place]
            table.add_row(f"pass rate, {how}", f"{was.pass_rate:.1%}", f"{now.pass_rate:.1%}")
            table.add_row(f"solved, {how}", f"{was.solved:.1%}", f"{now.solved:.1%}")
        self._console.print()
        self._console.print(table)
        whole = sum(each["step_s"] for each in metrics)
        waited = sum(each["wait_s"] for each in metrics)
        self._console.print(
            f"\n{len(metrics)} steps in {whole:.0f} s, {waited / whole:.1%} of them waiting for "
            f"rewards; {time.monotonic() - self._began:.0f} s in all\n"
            f"Written: {self._folder / logs.METRICS}, {self._folder / 'curves.png'}"
        )
        start, reach = before[0].pass_rate, after[0].pass_rate
        reached = start <= self._plan.start and reach >= self._plan.reach
        self._console.print(
            f"{'Reached' if reached else 'Missed'}: from {start:.1%} (to be {self._plan.start:.0%} "
            f"at most) to {reach:.1%} (to be {self._plan.reach:.0%} at least)"
        )
        return reached

    @contextmanager
    def _progress(self, what: str, total: int, done: int = 0) -> Iterator[Callable[[str], None]]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as bars:
            bar = bars.add_task(what, total=total, completed=done, note="")
            yield lambda note: bars.update(bar, advance=1, note=note)

    def _say(self, text: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._began:4.0f} s[/dim]  {text}")


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks at held-out tasks."""

    tokenizer: PieceTokenizer
    prompts: list[Prompt]
    judge: Reward
    training: Settings

    def at(self, policy: Policy) -> list[Evaluation]:
        """What it does when it samples, and when it writes what is likeliest."""
        return [self.sampled(policy, SAMPLED), self._with(policy, 0.0)]

    def sampled(self, policy: Policy, each: int = 1) -> Evaluation:
        """What it does when it samples, as it does in training."""
        return self._with(policy, self.training.temperature, each)

    def _with(self, policy: Policy, temperature: float, each: int = 1) -> Evaluation:
        return evaluate(
            policy,
            self.tokenizer,
            self.prompts,
            self.judge,
            longest=self.training.longest,
            each=each,
            temperature=temperature,
            seed=self.training.seed,
            autocast=self.training.autocast,
        )


def _prompt(task: Task) -> Prompt:
    return Prompt(task.id, f"{task.prompt}\n", f"level {task.level}")


if __name__ == "__main__":
    main()
