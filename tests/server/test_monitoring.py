"""What watches Proctor: its metrics, and that dashboard, alert rules and compose know them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from proctor_server.outcome import Cause
from tests.conftest import missing
from tests.server.conftest import Workers, post, results, wait_until

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "docs" / "monitoring"

NAMES = """
proctor_redis_up proctor_redis_memory_bytes proctor_redis_memory_max_bytes
proctor_pending_units proctor_waiting_chunks proctor_oldest_wait_seconds
proctor_queued_items proctor_held_chunks proctor_jobs_refused_total
proctor_results_total proctor_cached_results_total proctor_internal_errors_total
proctor_queue_wait_seconds_bucket proctor_queue_wait_seconds_count proctor_queue_wait_seconds_sum
proctor_run_seconds_bucket proctor_run_seconds_count proctor_run_seconds_sum
proctor_chunk_seconds_bucket proctor_chunk_seconds_count proctor_chunk_seconds_sum
proctor_workers proctor_worker_units_total proctor_sandboxes_total
proctor_requests_total
proctor_request_seconds_bucket proctor_request_seconds_count proctor_request_seconds_sum
"""
METRICS = set(NAMES.split())


def samples(api: httpx.Client) -> Iterator[tuple[str, dict[str, str], float]]:
    """All that /metrics shows, as the parser of Prometheus's client reads it."""
    for family in text_string_to_metric_families(api.get("/metrics").text):
        for sample in family.samples:
            if not sample.name.endswith("_created"):  # the parser's business
                yield sample.name, sample.labels, sample.value


def value(api: httpx.Client, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have these labels."""
    found = [
        each for sample, of, each in samples(api) if sample == name and labels.items() <= of.items()
    ]
    assert found, name
    return sum(found)


def named(text: str) -> set[str]:
    """The metrics that a text names."""
    return set(re.findall(r"\bproctor_\w+", text))


@pytest.fixture
def watched(api: httpx.Client, two: str, workers: Workers) -> httpx.Client:
    """The API after every kind of thing that is counted has happened once."""
    # Waits for want of a worker, some of it for want of a turn.
    batch = post(api, *(f"ac {number}" for number in range(400)))
    assert value(api, "proctor_held_chunks") > 0
    assert value(api, "proctor_queued_items") == 400
    assert value(api, "proctor_waiting_chunks") > value(api, "proctor_held_chunks")
    wait_until(lambda: value(api, "proctor_oldest_wait_seconds") > 0.05, "the oldest ages")
    workers.start()
    results(api, batch, wait=30)
    return api


def test_every_metric_that_is_named_here_is_there_and_no_other(
    watched: httpx.Client, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    post(watched, f"gate {gate}", *(f"wa {number}" for number in range(400)))
    there = {name for name, _, _ in samples(watched)}
    gate.touch()
    assert there == METRICS


def test_results_are_counted_by_verdict_language_and_cause(
    api: httpx.Client, two: str, worker: Workers
) -> None:
    items = [
        {"problem_id": two, "source": source, "language": language}
        for source, language in (("ac", "python"), ("wa", "cpp"), ("raise", "c"), ("ac", "python"))
    ]
    batch = api.post("/v1/batches", json={"items": items}).json()["id"]
    *lines, _ = results(api, batch)
    assert {line["index"]: line.get("cause") for line in lines}[2] == Cause.FAILURE
    assert value(api, "proctor_results_total", verdict="AC", language="python") == 2
    assert value(api, "proctor_results_total", verdict="WA", language="cpp") == 1
    assert value(api, "proctor_results_total", verdict="IE", language="c") == 1
    assert value(api, "proctor_cached_results_total") == 1
    assert value(api, "proctor_internal_errors_total", cause="failure") == 1
    assert value(api, "proctor_internal_errors_total") == 1
    assert value(api, "proctor_queue_wait_seconds_count") == 3
    assert value(api, "proctor_run_seconds_count") == 3
    # Of three chunks, one a language, one failed.
    wait_until(lambda: value(api, "proctor_chunk_seconds_count") == 2, "the last chunk's end")


def test_the_dashboard_names_no_metric_that_is_not_there() -> None:
    dashboard = json.loads((MONITORING / "grafana" / "proctor.json").read_text())
    expressions = [one["expr"] for panel in dashboard["panels"] for one in panel["targets"]]
    assert len(expressions) > 20
    assert named(" ".join(expressions)) <= METRICS


def test_the_dashboard_shows_all_there_is() -> None:
    shown = named((MONITORING / "grafana" / "proctor.json").read_text())
    ends = re.compile(r"_(bucket|count|sum)$")
    assert {ends.sub("", name) for name in METRICS} == {ends.sub("", name) for name in shown}


def test_alerts_name_no_metric_that_is_not_there_and_are_explained() -> None:
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    assert len(rules) > 10
    assert named(" ".join(rule["expr"] for rule in rules)) <= METRICS
    explained = (ROOT / "docs" / "monitoring.md").read_text()
    assert [rule["alert"] for rule in rules if f"| {rule['alert']} |" not in explained] == []


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        missing("promtool is not installed; scripts/promtool, as root, fetches it")
    return found


@pytest.mark.parametrize(
    "command",
    ["check config prometheus.yml", "check rules alerts.yml", "test rules alerts.test.yml"],
)
def test_prometheus_itself_takes_configuration_and_rules(promtool: str, command: str) -> None:
    argv = [promtool, *command.split()]
    done = subprocess.run(argv, cwd=MONITORING, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_itself_finds_no_fault_with_the_metrics(
    promtool: str, watched: httpx.Client
) -> None:
    page = watched.get("/metrics").content
    done = subprocess.run(
        [promtool, "check", "metrics"], input=page, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.parametrize("kind", ["docker compose", "docker-compose"])
def test_compose_has_monitoring_only_when_asked(kind: str) -> None:
    command = kind.split()
    if (
        shutil.which(command[0]) is None
        or subprocess.run([*command, "version"], capture_output=True, check=False).returncode
    ):
        missing(f"{kind} is not installed")

    def services(*options: str) -> set[str]:
        argv = [*command, *options, "config", "--services"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    assert services("--profile", "monitoring") >= {"prometheus", "grafana", "api", "worker"}
    # 1.29 lists all that there is; what it starts is another matter.
    if kind == "docker compose":
        assert services() == {"redis", "api", "worker"}
    mounted = re.findall(r"\./(docs/\S+?):", (ROOT / "docker-compose.yml").read_text())
    assert len(mounted) >= 4
    assert [path for path in mounted if not (ROOT / path).exists()] == []
