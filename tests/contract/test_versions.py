"""What a backend says of its tools; it asks them when nothing else wants the CPU."""

from proctor_sandbox.seam import Backend

BACKENDS = ("docker-runc", "bubblewrap", "fake")


def test_versions_are_of_languages_that_are_there(backend: Backend) -> None:
    versions = backend.versions()
    assert set(versions) <= set(backend.languages())
    assert all(version[0].isdigit() for version in versions.values())
