"""The manifests of examples/kubernetes fit Proctor as it is. No cluster has seen them here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from proctor_server.api.app import create_app
from proctor_server.metrics import Metrics, StoreState
from proctor_server.settings import Settings
from proctor_server.store.counters import Counts
from proctor_server.store.memory import Memory
from proctor_server.store.statistics import Backlog
from proctor_server.up import API_GRACE_S, WORKER_GRACE_S

FOLDER = Path(__file__).parents[2] / "examples" / "kubernetes"
SECRET_KEYS = {"redis-users.acl", "redis-api", "redis-worker"}


def manifests() -> list[dict[str, Any]]:
    return [one for path in FOLDER.glob("*.yaml") for one in yaml.safe_load_all(path.read_text())]


def of_kind(*kinds: str) -> Iterator[dict[str, Any]]:
    return (one for one in manifests() if one["kind"] in kinds)


def pods() -> dict[str, dict[str, Any]]:
    """The pods of each workload, by its name."""
    found = of_kind("Deployment", "StatefulSet")
    return {one["metadata"]["name"]: one["spec"]["template"] for one in found}


def containers() -> Iterator[dict[str, Any]]:
    for pod in pods().values():
        yield from pod["spec"].get("initContainers", [])
        yield from pod["spec"]["containers"]


def test_each_part_is_there() -> None:
    assert set(pods()) == {"proctor-redis", "proctor-api", "proctor-worker"}
    assert {one["kind"] for one in manifests()} == {
        "Service",
        "StatefulSet",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    }


def test_everything_that_selects_selects_something() -> None:
    labels = [pod["metadata"]["labels"] for pod in pods().values()]
    for one in manifests():
        spec = one["spec"]
        selector = spec.get("podSelector") or spec.get("selector")
        if selector is None:
            continue
        wanted = selector.get("matchLabels", selector)
        assert any(wanted.items() <= there.items() for there in labels), one["metadata"]["name"]


def test_settings_are_those_that_there_are() -> None:
    known = {f"PROCTOR_{name.upper()}" for name in Settings.model_fields} | {"DOCKER_HOST"}
    given = {variable["name"] for one in containers() for variable in one.get("env", ())}
    assert {"PROCTOR_REDIS_URL", "PROCTOR_REDIS_PASSWORD_FILE"} <= given <= known


def test_passwords_come_from_what_scripts_secrets_makes(redis_secrets: Path) -> None:
    made = {path.name for path in redis_secrets.iterdir()}
    items = [
        item["key"]
        for pod in pods().values()
        for volume in pod["spec"]["volumes"]
        for item in volume.get("secret", {}).get("items", ())
    ]
    assert set(items) == SECRET_KEYS <= made


def test_probes_ask_for_routes_that_there_are() -> None:
    routes = create_app(Settings()).openapi()["paths"]
    (api,) = pods()["proctor-api"]["spec"]["containers"]
    for probe in ("livenessProbe", "readinessProbe"):
        assert api[probe]["httpGet"]["path"] in routes


@pytest.mark.parametrize(
    ("name", "grace_s"), [("proctor-api", API_GRACE_S), ("proctor-worker", WORKER_GRACE_S)]
)
def test_a_pod_has_the_time_to_end_that_it_needs(name: str, grace_s: float) -> None:
    assert pods()[name]["spec"]["terminationGracePeriodSeconds"] > grace_s


def test_only_an_engine_is_privileged() -> None:
    for one in containers():
        privileged = one.get("securityContext", {}).get("privileged", False)
        assert privileged == (one["name"] == "engine"), one["name"]


def test_the_fleet_grows_by_a_metric_that_there_is() -> None:
    (scaler,) = of_kind("HorizontalPodAutoscaler")
    (metric,) = scaler["spec"]["metrics"]
    name = metric["external"]["metric"]["name"]
    state = StoreState(0.0, Backlog(pending=7), Counts(), [], Memory())
    assert f"\n{name} 7.0\n" in Metrics().page(state).decode()
    assert scaler["spec"]["scaleTargetRef"]["name"] in pods()
