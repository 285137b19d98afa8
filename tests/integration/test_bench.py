"""`make bench`, small: that it measures everything, not how fast anything is."""

from pathlib import Path

import pytest

from tests.integration.benches import bench

KEYS = [
    "bare_python_ms_per_test",
    "sandbox_ms_per_test",
    "sandbox_ms_per_program_of_one_test",
    "bare_pool_programs_per_s",
    "stack_trivial_programs_per_s",
    "stack_humaneval_programs_per_s",
    "single_p50_ms",
    "single_p99_ms",
    "callers64_programs_per_s",
    "run_code_alone_requests_per_s",
    "run_code_callers64_requests_per_s",
]
DOCKER_KEYS = ["docker_run_ms_per_test", "cpp_20_tests_ms"]


@pytest.mark.usefixtures("docker_engine")
def test_everything_is_measured_in_one_run(tmp_path: Path) -> None:
    written = bench("bench", tmp_path / "out.json", "--quick", "--sandbox", "docker")
    for key in KEYS + DOCKER_KEYS:
        assert written[key] > 0, key
        assert written["rounds"][key], key
    whole_stack = {"single", "trivial", "humaneval", "callers"}
    whole_stack |= {"run-code-alone", "run-code-callers"}
    assert set(written["cpu_seconds"]) == whole_stack
    for seconds in written["cpu_seconds"].values():
        assert seconds["sandbox"] > 0
    assert set(written["targets"]) == {
        "sandbox_ms_per_test",
        "stack_trivial_programs_per_s",
        "single_p50_ms",
    }
    assert (written["backend"], written["quick"]) == ("docker", True)
    for fact in ("date", "git_revision", "machine", "runtime", "workers", "bare"):
        assert written[fact], fact


@pytest.mark.usefixtures("bubblewrap")
def test_one_measure_alone_over_bubblewrap(tmp_path: Path) -> None:
    options = ["--quick", "--sandbox", "bubblewrap", "--only", "trivial"]
    written = bench("bench", tmp_path / "out.json", *options)
    assert written["backend"] == "bubblewrap"
    assert written["stack_trivial_programs_per_s"] > 0
    assert written["cpu_seconds"]["trivial"]["sandbox"] > 0
    assert "single_p50_ms" not in written


@pytest.mark.usefixtures("docker_engine")
def test_languages_are_measured_beside_their_own_tools(tmp_path: Path) -> None:
    options = ["--rounds", "1", "--only", "python", "--only", "c"]
    written = bench("bench.languages", tmp_path / "out.json", *options)
    assert written.keys() == {"python", "c"}
    for figures in written.values():
        assert figures["ratio"] == pytest.approx(figures["sandbox_ms"] / figures["bare_ms"])
