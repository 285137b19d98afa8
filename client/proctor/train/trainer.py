"""The training loop: sample, ask for rewards, go on sampling, learn from what comes back.

trainer = Trainer(policy, tokenizer, prompts, Reward(url), Settings(steps=200))
for metrics in trainer.run():
    print(metrics["step"], metrics["reward"])
"""

import math
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from proctor.train import grpo
from proctor.train.curriculum import Curriculum
from proctor.train.model import Policy
from proctor.train.rollouts import Asking, Judge, Judged, Prompt, Rollout
from proctor.train.sampling import Samples, sample, token_logprobs
from proctor.train.tokens import Tokenizer

# One step's figures, by name; what a step has no figure for is left out.
Metrics: TypeAlias = dict[str, float]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        steps: rollouts to learn from.
        prompts: groups in a rollout.
        group: completions per prompt, 2 or more.
        longest: tokens after which a completion is cut off.
        temperature: of sampling, above 0.
        rate: the learning rate, after `warm_up` steps in which it rises.
        warm_up: see `rate`.
        last_rate: the share of `rate` to which it falls, evenly, by the last step; 1 stays.
        decay: AdamW's weight decay.
        most_gradient: the norm to which gradients are scaled down.
        passes: updates made from one rollout.
        rows: completions that go through the policy at once in an update; gradients of all
            parts of a step are accumulated.
        overlap: sample the next rollout while one is judged. A rollout is then at most one
            update older than the policy that learns from it; the objective's ratio allows for
            that, and `staleness` in the metrics says it. Without overlap, everybody waits.
        objective: see `grpo.Objective`.
        precision: bfloat16 computes in it where that is safe, weights stay float32.
        seed: of prompts and sampling.
    """

    steps: int = 100
    prompts: int = 16
    group: int = 8
    longest: int = 96
    temperature: float = 1.0
    rate: float = 1e-4
    warm_up: int = 5
    last_rate: float = 1.0
    decay: float = 0.0
    most_gradient: float = 1.0
    passes: int = 1
    rows: int = 64
    overlap: bool = True
    objective: grpo.Objective = field(default_factory=grpo.Objective)
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.group < 2:
            raise ValueError(f"group is {self.group}: advantages need 2 completions or more")
        for name in ("prompts", "longest", "passes", "rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: there has to be 1 or more")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}: sampling needs one above 0")

    @property
    def autocast(self) -> torch.dtype | None:
        """The dtype of lower precision to compute in."""
        return torch.bfloat16 if self.precision == "bfloat16" else None


class Trainer:
    """Trains a policy on prompts whose completions are judged.

    Args:
        policy: is trained in place.
        tokenizer: its tokens.
        prompts: what it is asked, in the order of a `Curriculum`.
        judge: gives rewards.
        settings: see there.
        reference: the policy that it is held close to, where `objective.kl` is not 0.

    Raises:
        ValueError: there are no prompts, or a reference is missing or of no use.
    """

    def __init__(
        self,
        policy: Policy,
        tokenizer: Tokenizer,
        prompts: Sequence[Prompt],
        judge: Judge,
        settings: Settings,
        *,
        reference: Policy | None = None,
    ) -> None:
        if not prompts:
            raise ValueError("no prompts to train on")
        if (settings.objective.kl != 0) != (reference is not None):
            raise ValueError("a reference policy goes with an objective.kl above 0, and only so")
        self.policy = policy
        self.settings = settings
        self._tokenizer = tokenizer
        self._curriculum = Curriculum(prompts, settings.seed)
        self._judge = judge
        self._reference = reference
        self._parameters = [each for each in policy.parameters() if each.requires_grad]
        self._device = self._parameters[0].device
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=settings.rate, betas=(0.9, 0.95), weight_decay=settings.decay
        )
        self._generator = torch.Generator(self._device).manual_seed(settings.seed)
        # Sampled and not learned from, the oldest first.
        self._unlearned: deque[Rollout] = deque()
        self._sampled = 0
        self._updates = 0
        self.step = 0

    def run(self) -> Iterator[Metrics]:
        """Train; the figures of each step as it ends."""
        ahead = 1 if self.settings.overlap else 0
        with Asking(self._judge) as asking:
            # What an earlier run left is asked for again: the answers were not kept.
            asked = deque(asking.ask(rollout) for rollout in self._unlearned)
            while self.step < self.settings.steps:
                began = time.monotonic()
                drawn = 0
                while len(asked) <= ahead and self._sampled < self.settings.steps:
                    rollout = self._sample()
                    drawn += int(rollout.samples.lengths.sum())
                    self._unlearned.append(rollout)
                    asked.append(asking.ask(rollout))
                sampled = time.monotonic()
                judged, waited = asked[0].wait()
                metrics = self._learn(asked.popleft().rollout, judged)
                self._unlearned.popleft()  # not before: an error leaves it for the next run
                self.step += 1
                took = time.monotonic() - began
                yield {
                    "step": self.step,
                    **metrics,
                    "sample_s": sampled - began,
                    "wait_s": waited,
                    "step_s": took,
                    "wait_share": waited / took,
                    "tokens_per_s": drawn / took,
                }

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on as if nothing had happened."""
        return {
            "policy": self.policy.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "curriculum": self._curriculum.state_dict(),
            "unlearned": [_kept(rollout) for rollout in self._unlearned],
            "sampled": self._sampled,
            "updates": self._updates,
            "step": self.step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; policy, prompts and settings have to be those it was taken of."""
        self.policy.load_state_dict(state["policy"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
        self._curriculum.load_state_dict(state["curriculum"])
        self._unlearned = deque(_restored(kept, self._device) for kept in state["unlearned"])
        self._sampled = state["sampled"]
        self._updates = state["updates"]
        self.step = state["step"]

    # -- a step -------------------------------------------------------------------------------

    def _sample(self) -> Rollout:
        settings = self.settings
        prompts = self._curriculum.draw(settings.prompts)
        samples = sample(
            self.policy,
            self._tokenizer,
            [prompt.text for prompt in prompts],
            most=settings.longest,
            each=settings.group,
            temperature=settings.temperature,
            generator=self._generator,
            device=self._device,
            autocast=settings.autocast,
        )
        self._sampled += 1
        return Rollout(prompts, samples, self._updates)

    def _learn(self, rollout: Rollout, judged: Sequence[Judged]) -> Metrics:
        settings, samples = self.settings, rollout.samples
        rewards = torch.tensor(
            [math.nan if each.reward is None else each.reward for each in judged],
            device=self._device,
        ).view(len(rollout.prompts), rollout.group)
        found = grpo.advantages(rewards, settings.objective.scale)
        telling, scored = found.values.any(1).tolist(), found.scored.any(1).tolist()
        groups = zip(rollout.prompts, telling, scored, strict=True)
        self._curriculum.note((prompt, tells) for prompt, tells, known in groups if known)
        metrics = _said(judged) | {
            "length": float(samples.lengths.float().mean()),
            # Whoever did not go on to the last place has an end there, drawn or as padding.
            "cut_off": float((samples.ids[:, -1] != self._tokenizer.end).float().mean()),
            "unscored_groups": found.unscored_groups,
            "equal_groups": found.equal_groups,
            "staleness": self._updates // settings.passes - rollout.updates // settings.passes,
        }
        if found.unscored_groups + found.equal_groups == len(rollout.prompts):
            return metrics | {"skipped": 1.0}  # nothing to learn; momentum would move it blindly
        for _ in range(settings.passes):
            metrics |= self._update(samples, found)
        return metrics | {"skipped": 0.0}

    def _update(self, samples: Samples, found: grpo.Advantages) -> Metrics:
        """One step of the optimizer, gradients accumulated over parts of the rollout."""
        settings, objective = self.settings, self.settings.objective
        values, scored = found.values.flatten(), found.scored.flatten()
        new = samples.mask[:, -samples.new :]
        share = grpo.shares(new, scored, objective, settings.longest)
        # Without an advantage a completion has no gradient but that of the divergence.
        telling = scored if self._reference is not None else values != 0
        losses: list[grpo.Loss] = []
        for rows in telling.nonzero().squeeze(-1).split(settings.rows):
            part = _rows(samples, rows)
            reference = None
            if self._reference is not None:
                with torch.no_grad():
                    reference = self._logprobs(self._reference, part)
            loss = grpo.loss(
                self._logprobs(self.policy, part),
                part.logprobs,
                values[rows],
                part.mask[:, -part.new :],
                objective,
                share=share[rows],
                reference_logprobs=reference,
            )
            loss.total.backward()
            losses.append(loss)
        rising = min(1.0, (self.step + 1) / max(1, settings.warm_up))
        falling = 1 - (1 - settings.last_rate) * self.step / max(1, settings.steps - 1)
        rate = settings.rate * rising * falling
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, settings.most_gradient)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._updates += 1
        tokens = sum(loss.tokens for loss in losses)
        metrics = {
            "loss": float(sum(loss.total.detach() for loss in losses)),
            "clipped": sum(loss.clipped for loss in losses) / tokens,
            "gradient": float(norm),
            "rate": rate,
        }
        if self._reference is not None:
            metrics["kl"] = sum(loss.kl for loss in losses) / tokens
        return metrics

    def _logprobs(self, policy: Policy, part: Samples) -> Tensor:
        return token_logprobs(policy, part, self.settings.temperature, self.settings.autocast)


# -- helpers ----------------------------------------------------------------------------------


def _said(judged: Sequence[Judged]) -> Metrics:
    """What the judge said of a rollout, in figures."""
    rewards = [each.reward for each in judged if each.reward is not None]
    rates = [each.pass_rate for each in judged if each.pass_rate is not None]
    verdicts = Counter(each.verdict for each in judged if each.verdict is not None)
    metrics: Metrics = {"unscored": (len(judged) - len(rewards)) / len(judged)}
    if rewards:
        metrics["reward"] = sum(rewards) / len(rewards)
    if rates:
        metrics["pass_rate"] = sum(rates) / len(rates)
    return metrics | {f"verdict/{v}": n / len(judged) for v, n in sorted(verdicts.items())}


def _rows(samples: Samples, rows: Tensor) -> Samples:
    """Some rows, without the padding that only other rows need."""
    mask = samples.mask[rows]
    start = int(mask.any(0).int().argmax())
    longest = max(1, int(mask[:, -samples.new :].sum(1).max()))
    end = samples.ids.shape[1] - samples.new + longest
    return Samples(
        samples.ids[rows, start:end], mask[:, start:end], samples.logprobs[rows, :longest], []
    )


def _kept(rollout: Rollout) -> dict[str, Any]:
    samples = rollout.samples
    return {
        "prompts": [astuple(prompt) for prompt in rollout.prompts],
        "samples": (samples.ids, samples.mask, samples.logprobs, samples.texts),
        "updates": rollout.updates,
    }


def _restored(kept: dict[str, Any], device: torch.device) -> Rollout:
    ids, mask, logprobs, texts = kept["samples"]
    return Rollout(
        [Prompt(*prompt) for prompt in kept["prompts"]],
        Samples(ids.to(device), mask.to(device), logprobs.to(device), texts),
        kept["updates"],
    )
