"""The demo and the example, run as a user does, in the little time that tests have."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.train import tiny


@pytest.mark.timeout(900)
def test_the_demo_trains_a_model_from_nothing(bubblewrap: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "proctor.train.demo", "--quick", "--folder", str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [each["step"] for each in steps] == list(range(1, len(steps) + 1))
    assert not any(each["unscored"] for each in steps)
    looks = [each["heldout"] for each in steps if "heldout" in each]
    (sampled,) = (line for line in done.stdout.splitlines() if "pass rate, sampled" in line)
    before, after = (float(word.rstrip("%")) / 100 for word in sampled.split()[-2:])
    # It is to be seen to learn what is right on problems that it never saw.
    assert before < 0.3, done.stdout
    assert max(after, *looks) > before + 0.05, done.stdout
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_trains_a_hugging_face_model(tiny_url: str, tmp_path: Path) -> None:
    argv = [sys.executable, "examples/proctor_grpo.py", str(tiny.saved(tmp_path / "policy"))]
    argv += ["--url", tiny_url, "--prefix", "tiny/", "--output", str(tmp_path / "out")]
    argv += ["--steps", "3", "--prompts", "2", "--group", "4", "--tokens", "2"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("'reward'") == 3
    assert (tmp_path / "out" / "curves.png").exists()
    assert (tmp_path / "out" / "checkpoint.pt").exists()
