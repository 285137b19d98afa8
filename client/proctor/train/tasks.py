"""A family of small programming tasks, made here: nothing is downloaded.

A task is a sentence or two, a program that does what they say, and hidden tests. All three are
put together from the same *pieces*, and a piece also knows how it is commonly got wrong. So a
seed gives thousands of distinct tasks of five levels, tests that tell the right program from its
near misses, and demonstrations as imperfect as one likes.

    tasks = generate(1000, seed=0)
    report = validate(tasks, Client())     # by the judge itself, before anything is trained on
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from proctor.train.pieces import LEVELS, Maker, Piece
from proctor.train.running import run_here
from proctor.types import Comparer, LimitsSpec, Problem, Reference, StdinTest

# One is shown in the statement; the others are hidden.
TESTS = 5
# Different outputs among them, so that a program that prints a constant earns 3/5 at most.
LEAST_OUTPUTS = 3
# Inputs from which the tests are chosen. More of them find rarer differences and take longer.
CANDIDATES = 14
# Of the author of demonstrations.
CARE, HABIT = 0.55, 0.3
# A test of these programs takes milliseconds: what takes a second of CPU time is in a loop.
LIMITS = LimitsSpec(cpu_time_s=1.0, memory_mb=128)


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Attributes:
        id: under which its problem is stored; it comes from the sentence, so equal tasks have
            equal ids, whatever the seed.
        level: its difficulty, from 1 (an expression) to 5 (a loop).
        prompt: the sentence that a model is shown.
        pieces: what the program is made of, a line or more each.
        inputs: of its tests, the shown example first.
        outputs: what the reference prints for each.
    """

    id: str
    level: int
    prompt: str
    pieces: tuple[Piece, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def reference(self) -> str:
        """A program that does what the task says."""
        return _program(self.pieces)

    def near_misses(self) -> Iterator[str]:
        """Programs with exactly one piece got wrong."""
        for place, piece in enumerate(self.pieces):
            for slip in piece.slips:
                yield _with_slip(self.pieces, place, slip)

    def programs(self) -> Iterator[str]:
        """The reference and its near misses: all the lines that its demonstrations have."""
        yield self.reference
        yield from self.near_misses()

    def demonstration(self, rng: random.Random) -> str:
        """A program as a careless author writes it: each piece is right with probability `CARE`.

        A mistake is the usual one with probability `HABIT`, else any. Each piece is right more
        often than not, and a whole program seldom is.
        """
        return "\n".join(
            piece.code if not piece.slips or rng.random() < CARE else _slip(piece, rng)
            for piece in self.pieces
        )

    def problem(self) -> Problem:
        """What the judge is given. The first test is the example, which is public."""
        return Problem(
            id=self.id,
            statement=f"{self.prompt}\n\nExample input:\n{self.inputs[0]}"
            f"\nExample output:\n{self.outputs[0]}",
            comparer=Comparer(name="tokens"),
            limits=LIMITS,
            tests=[
                StdinTest(input=given, output=printed, public=place == 0)
                for place, (given, printed) in enumerate(
                    zip(self.inputs, self.outputs, strict=True)
                )
            ],
            reference=Reference(language="python", source=self.reference),
            metadata={"level": self.level},
        )


def generate(count: int, seed: int, *, levels: Sequence[int] = (1, 2, 3, 4, 5)) -> list[Task]:
    """So many distinct tasks; the same seed gives the same ones.

    Levels are tried in turn, and those of which more turn out fair and new have more tasks.

    Raises:
        ValueError: there is no such level, or not that many distinct tasks could be found.
    """
    if not levels or not set(levels) <= LEVELS.keys():
        raise ValueError(f"levels are {sorted(LEVELS)}, not {list(levels)}")
    rng = random.Random(seed)  # noqa: S311  a seed is what is wanted
    made: dict[str, Task] = {}
    for attempt in range(50 * count):
        if len(made) == count:
            break
        level = levels[attempt % len(levels)]
        task = _task(level, LEVELS[level], rng)
        if task is not None:
            made.setdefault(task.id, task)
    if len(made) < count:
        raise ValueError(f"only {len(made)} distinct tasks of levels {list(levels)} were found")
    return list(made.values())


# -- helpers ----------------------------------------------------------------------------------


def _task(level: int, maker: Maker, rng: random.Random) -> Task | None:
    """A task, or None where no tests would make it a fair one."""
    pieces, make_input = maker(rng)
    reference = _program(pieces)
    candidates = list(dict.fromkeys(make_input(rng) for _ in range(CANDIDATES)))
    printed = {given: run_here(reference, given) for given in candidates}
    # What prints nothing, its input or always the same asks for nothing.
    fair = [g for g in candidates if (out := printed[g]) and out.split() != g.split()]
    if len({printed[given] for given in fair}) < TESTS:
        return None
    # A slip that prints what the reference does would be a right program, and no slip.
    caught: list[set[str]] = []
    kept: list[Piece] = []
    for place, piece in enumerate(pieces):
        slips = []
        for slip in piece.slips:
            program = _with_slip(pieces, place, slip)
            found = {given for given in fair if run_here(program, given) != printed[given]}
            if found:
                slips.append(slip)
                caught.append(found)
        if piece.slips and not slips:
            return None  # a step that makes no difference
        kept.append(Piece(piece.words, piece.code, tuple(slips)))
    inputs = _chosen(fair, caught, printed)
    if len({printed[given] for given in inputs}) < LEAST_OUTPUTS:
        return None
    prompt = " ".join(piece.words for piece in pieces if piece.words)
    return Task(
        id=f"tasks/{level}-{sha256(prompt.encode()).hexdigest()[:12]}",
        level=level,
        prompt=prompt,
        pieces=tuple(kept),
        inputs=tuple(inputs),
        outputs=tuple(str(printed[given]) for given in inputs),
    )


def _chosen(
    fair: Sequence[str], caught: Sequence[set[str]], printed: dict[str, str | None]
) -> list[str]:
    """The inputs of the tests: first those that catch most of what is not caught yet."""
    left = list(caught)
    chosen: list[str] = []
    while len(chosen) < TESTS:
        seen = {printed[given] for given in chosen}
        rest = [given for given in fair if given not in chosen]
        best = max(
            rest, key=lambda given: (sum(given in c for c in left), printed[given] not in seen)
        )
        chosen.append(best)
        # All caught once: what catches many of them again comes next.
        left = [c for c in left if best not in c] or list(caught)
    # The example is the one that gives least away.
    return [chosen[-1], *chosen[:-1]]


def _program(pieces: Sequence[Piece]) -> str:
    return "\n".join(piece.code for piece in pieces)


def _slip(piece: Piece, rng: random.Random) -> str:
    return piece.slips[0] if rng.random() < HABIT else rng.choice(piece.slips)


def _with_slip(pieces: Sequence[Piece], place: int, slip: str) -> str:
    return "\n".join(slip if other == place else piece.code for other, piece in enumerate(pieces))
