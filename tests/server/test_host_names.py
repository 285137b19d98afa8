"""A server without keys answers to local names only: no page gets at it by DNS rebinding."""

from pathlib import Path

from proctor_server.settings import Settings
from tests.server.conftest import serving
from tests.server.test_api_keys import entry

NAMES = {
    "127.0.0.1:8077": 200,
    "10.0.0.7": 200,
    "[::1]:8077": 200,
    "localhost:8077": 200,
    "LOCALHOST.": 200,
    "api": 200,
    "proctor.default.svc": 200,
    "proctor.default.svc.cluster.local": 200,
    "gpu-7.internal": 200,
    "proctor.example.com": 200,  # named in the settings
    "evil.example": 421,
    "localhost.evil.example": 421,
    "127.0.0.1.evil.example:8077": 421,
    "evil.example.": 421,
    "127.0.0.1:80@evil.example": 421,
}


def test_names(settings: Settings) -> None:
    with serving(settings.model_copy(update={"hosts": "a.example, Proctor.example.com"})) as api:
        for path in ("/healthz", "/v1/problems", "/"):
            answers = {host: api.get(path, headers={"Host": host}) for host in NAMES}
            assert {host: answer.status_code for host, answer in answers.items()} == NAMES, path
    assert "PROCTOR_HOSTS" in answers["evil.example"].json()["detail"]


def test_with_keys_any_name_will_do(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(entry("root", "admin"))
    with serving(settings.model_copy(update={"keys_file": path})) as api:
        headers = {"Host": "proctor.example.org", "Authorization": "Bearer key-root"}
        assert api.get("/v1/problems", headers=headers).status_code == 200
