"""What the images hold, beyond what the contract suite runs in them."""

import json
import shlex

import docker
import pytest

from proctor_sandbox.docker_backend import IMAGES, VERSIONS_LABEL
from proctor_sandbox.languages import LANGUAGES


def output(engine: docker.DockerClient, image: str, command: str) -> str:
    said = engine.containers.run(
        image, ["/bin/sh", "-c", command], network_mode="none", remove=True, stderr=True
    )
    return str(said.decode())


@pytest.mark.parametrize("image", IMAGES.values())
def test_no_file_gives_another_users_rights(docker_engine: docker.DockerClient, image: str) -> None:
    assert output(docker_engine, image, "find / -xdev -type f -perm /6000") == ""


@pytest.mark.parametrize("image", IMAGES.values())
def test_no_package_lists_and_no_ca_of_the_host(
    docker_engine: docker.DockerClient, image: str
) -> None:
    found = output(docker_engine, image, "ls /var/lib/apt/lists; find / -xdev -name host-ca.crt")
    assert found == ""


def test_the_precompiled_header_is_taken_with_the_flags_of_the_table(
    docker_engine: docker.DockerClient,
) -> None:
    flags = " ".join(
        part for part in LANGUAGES["cpp"].compile if part.startswith("-") and part != "-o"
    )
    said = output(
        docker_engine,
        "proctor-native",
        f"cd /tmp; echo '#include <bits/stdc++.h>' > a.cpp; g++ {flags} -H -c a.cpp",
    )
    # With -H, "!" stands before a precompiled header that is used, "x" before one that is not.
    assert said.startswith("! ")
    assert "stdc++.h.gch" in said.splitlines()[0]


@pytest.mark.parametrize("family", IMAGES)
def test_an_image_has_every_language_of_its_family(
    docker_engine: docker.DockerClient, family: str
) -> None:
    labels = docker_engine.images.get(IMAGES[family]).labels
    wanted = {one.name for one in LANGUAGES.values() if one.image == family}
    assert set(json.loads(labels[VERSIONS_LABEL])) == wanted


_JVM = [name for name, language in LANGUAGES.items() if language.image == "jvm"]
_ON_JVM = [(name, "run") for name in _JVM] + [(name, "compile") for name in _JVM]


@pytest.mark.parametrize(
    ("name", "command"), [pair for pair in _ON_JVM if getattr(LANGUAGES[pair[0]], pair[1])]
)
def test_java_takes_the_archive_that_was_made_for_a_command(
    docker_engine: docker.DockerClient, name: str, command: str
) -> None:
    option = "-J-Xshare:on" if (name, command) == ("java", "compile") else "-Xshare:on"
    argv = []
    for part in getattr(LANGUAGES[name], command):
        # Nothing is compiled or run: it is asked to start, as it would.
        places = {"memory_mb": 256, "output": "/tmp/made", "folder": "/tmp"}
        argv.append(part.format(**places, source="-", sources="-"))
        if "SharedArchiveFile" in part:
            argv.append(option)
    said = output(docker_engine, IMAGES["jvm"], f"{shlex.join(argv)} 2>&1 || true")
    assert "shared archive" not in said.lower()
    assert "unable to" not in said.lower()


def test_the_python_image_has_the_version_its_requirements_are_for(
    docker_engine: docker.DockerClient,
) -> None:
    assert output(docker_engine, "proctor-python", "python3 --version").startswith("Python 3.11")
