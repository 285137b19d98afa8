"""`scripts/screenshots`: pictures of the page and of a report, of a real stack at work.

The batches, their programs and verdicts are real, and so are the workers. The hour before them
is made up: nobody waits an hour for a picture.
"""

import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from playwright.sync_api import Browser, sync_playwright

from proctor import Client
from proctor.types import Item, Problem, StdinTest
from proctor_server.store import keys
from proctor_server.up import StackOptions, background_stack, free_port, redis_server
from tests.server.conftest import wait_until

ROOT = Path(__file__).parents[3]
MOST_BYTES = 300_000
# What the documents show, by the picture that is copied there.
SHOWN = {
    "overview-light-1280.png": ROOT / "docs" / "operator-page.png",
    "report-light-1280.png": ROOT / "docs" / "eval-report.png",
}

PROGRAMS = {
    "print(sum(map(int, input().split())))": 45,
    "a, b = map(int, input().split())\nprint(a + b if a < 3 else a)": 16,
    "print(3)": 14,
    "print(int(input()) + 1)": 8,
    "def solve(:": 5,
    "print('x' * 10**8)": 1,
}


@contextmanager
def stack(folder: Path) -> Iterator[tuple[str, "redis.Redis"]]:
    """A stack with two workers over a Redis that we can reach; its address and that Redis."""
    socket = folder / "redis.sock"
    argv = [redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL) as server:
        try:
            wait_until(socket.exists, "Redis is up")
            url = f"unix://{socket}"
            options = StackOptions(
                folder / "state",
                port=free_port(),
                workers=2,
                sandbox="bubblewrap",
                redis_url=url,
            )
            with (
                (folder / "log").open("w+b") as log,
                redis.Redis.from_url(url) as client,
                background_stack(options, log) as running,
            ):
                yield running.url, client
        finally:
            server.terminate()


def make_up_an_hour(client: "redis.Redis", chance: random.Random) -> None:
    """Counters of a training run: a step every four minutes, and a policy that learns."""
    last = int(time.time()) // keys.BUCKET_S * keys.BUCKET_S
    with client.pipeline() as pipe:
        for place, moment in enumerate(range(last - keys.HISTORY_S, last, keys.BUCKET_S)):
            phase = place % 24
            if phase > 17:
                continue  # it samples
            programs = round(chance.gauss(1900, 120) * (1.0 if phase else 0.4))
            right = 0.25 + 0.35 * place / 360
            shares = {"AC": right, "RE": 0.08, "TLE": 0.05, "CE": 0.04, "MLE": 0.01}
            shares["WA"] = 1 - sum(shares.values())
            fields = {
                f"v:{verdict}:python": round(programs * share * chance.uniform(0.85, 1.15))
                for verdict, share in shares.items()
            }
            cached = round(programs * chance.uniform(0.08, 0.14))
            wait_s = 1.2 * (phase + 1) ** 1.1 * chance.uniform(0.8, 1.2)
            counts = Counter({**fields, "cached": cached})
            for kind, middle_s, spread in (("w", wait_s, 2), ("r", 0.02, 6)):
                middle = math.log2(middle_s / 0.001) * 4
                for _ in range(60):
                    counts[f"{kind}:{min(87, max(0, round(chance.gauss(middle, spread))))}"] += 1
            key = f"{keys.BUCKET}{moment}"
            for name, number in counts.items():
                pipe.hset(key, name, str(number))
            pipe.expire(key, keys.BUCKET_TTL_S)
        pipe.execute()


NAMES = [f"sums/{name}" for name in ("small", "large", "negative", "mixed", "carry", "zero")]


def store_problems(client: Client) -> None:
    """The problems that all programs are for."""
    for place, name in enumerate(NAMES):
        pairs = [(a, a * a + place) for a in range(8)]
        tests = [
            StdinTest(input=f"{a} {b}\n", output=f"{a + b}\n", public=a == 0) for a, b in pairs
        ]
        client.put_problem(Problem(id=name, tests=tests))


def load(client: Client, chance: random.Random) -> list[str]:
    """Three batches: two that end, and one that goes on; their ids."""

    def items(number: int) -> Iterator[Item]:
        for index in range(number):
            (program,) = chance.choices([*PROGRAMS], [*PROGRAMS.values()])
            # One in eight was written before.
            mark = chance.randrange(3) if chance.random() < 0.12 else index
            source = f"# sample {mark}\n{program}\n"
            yield Item(id=f"step-7-{index}", problem_id=chance.choice(NAMES), source=source)

    ended = [client.submit(items(number)) for number in (256, 512)]
    for batch in ended:
        batch.wait(timeout_s=300)
    running = client.submit(items(4000))
    wait_until(lambda: running.status().completed > 600, "some of it is done", within_s=120)
    return [ended[1].id, running.id]


def report(url: str, folder: Path, chance: random.Random) -> Path:
    """The HTML report of `proctor eval`, of twenty samples for each problem."""
    samples, found = folder / "samples.jsonl", folder / "report.html"
    with samples.open("w") as out:
        for name in NAMES:
            # Some problems are harder than others, and a program or two solves each.
            right, *wrong = PROGRAMS
            share = chance.uniform(0.1, 0.9)
            for number in range(20):
                source = right if chance.random() < share else chance.choice(wrong)
                line = {"problem_id": name, "source": f"# {number}\n{source}\n"}
                out.write(json.dumps(line) + "\n")
    argv = [sys.executable, "-m", "proctor", "eval", "sums", str(samples), "--url", url]
    subprocess.run([*argv, "--k", "1,5,10", "--report", str(found)], check=True)
    return found


def pictures(browser: Browser, url: str, batches: list[str], told: Path, folder: Path) -> None:
    """Each page in each shape, and the report, as files in a folder."""
    paths = {
        "overview": "/",
        "batch": f"/batches/{batches[0]}",
        "running": f"/batches/{batches[1]}",
        "submission": f"/batches/{batches[0]}/3",
        "batches": "/batches",
        "problems": "/problems",
        "report": told.as_uri(),
    }
    for scheme in ("light", "dark"):
        for width in (1280, 390):
            with browser.new_context(
                base_url=url,
                viewport={"width": width, "height": 860},
                color_scheme="dark" if scheme == "dark" else "light",
            ) as context:
                page = context.new_page()
                for name, path in paths.items():
                    page.goto(path)
                    page.wait_for_timeout(300)  # for the fonts; nothing is tested here
                    page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)


def main() -> None:
    """Take them."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "page-pictures")
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(7)
    with (
        tempfile.TemporaryDirectory(prefix="proctor-pictures-") as temporary,
        stack(Path(temporary)) as (url, store),
        sync_playwright() as playwright,
    ):
        make_up_an_hour(store, chance)
        with Client(url) as client:
            store_problems(client)
            # First: it would wait until the batch that goes on has ended.
            told = report(url, Path(temporary), chance)
            batches = load(client, chance)
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            pictures(browser, url, batches, told, folder)
            browser.close()
            client.batch(batches[1]).cancel()
    for name, shown in SHOWN.items():
        shutil.copy(folder / name, shown)
        if shown.stat().st_size > MOST_BYTES:
            sys.exit(f"{shown} is larger than {MOST_BYTES} bytes")
    print(f"{folder} has the pictures, docs/ those that are shown")


if __name__ == "__main__":
    main()
