"""What the images hold, beyond what the contract suite runs in them."""

import docker
import pytest

from proctor_sandbox.languages import LANGUAGES


def output(engine: docker.DockerClient, image: str, command: str) -> str:
    said = engine.containers.run(
        image, ["/bin/sh", "-c", command], network_mode="none", remove=True, stderr=True
    )
    return str(said.decode())


@pytest.mark.parametrize("image", ["proctor-python", "proctor-native"])
def test_no_file_gives_another_users_rights(docker_engine: docker.DockerClient, image: str) -> None:
    assert output(docker_engine, image, "find / -xdev -type f -perm /6000") == ""


@pytest.mark.parametrize("image", ["proctor-python", "proctor-native"])
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


def test_the_python_image_has_the_version_its_requirements_are_for(
    docker_engine: docker.DockerClient,
) -> None:
    assert output(docker_engine, "proctor-python", "python3 --version").startswith("Python 3.11")
