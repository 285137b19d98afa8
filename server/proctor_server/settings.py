"""Settings: read once in an entry point, frozen, and passed down from there."""

import os
from typing import Annotated, Literal, get_args

import click
from pydantic import BeforeValidator, Field, FilePath, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from proctor_sandbox.pool import DEFAULT_MAX_PROGRAMS, DEFAULT_SPARES
from proctor_server.limit_rules import LimitRules
from proctor_server.logs import LogFormat

MIB = 1024 * 1024


WireFormat = Literal[
    "e2b", "nemo_gym", "open_instruct", "openrlhf", "piston", "sandbox_fusion", "slime"
]
ALL_FORMATS: frozenset[WireFormat] = frozenset(get_args(WireFormat))


def _names(said: object) -> object:
    """Names between commas, as an environment variable has them; `none` is none."""
    if not isinstance(said, str):
        return said
    names = [name.strip() for name in said.split(",")]
    return [] if names == ["none"] else names


class Settings(BaseSettings):
    """What an operator may set, each as PROCTOR_<NAME> in the environment."""

    model_config = SettingsConfigDict(
        env_prefix="PROCTOR_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    # The port that compose publishes Redis on inside its own network, never on the host.
    redis_url: str = "redis://127.0.0.1:6379/0"
    # A file, since an environment is shown by `docker inspect` and inherited by children.
    redis_password_file: FilePath | None = None
    # The API runs programs for whoever reaches it: the world must be let in on purpose.
    host: str = "127.0.0.1"
    # Without it whoever reaches the API may do all; `proctor keys add` writes it.
    keys_file: FilePath | None = None
    # Names, beside addresses and local names, by which a server without keys may be called.
    hosts: str = Field("", pattern=r"^[A-Za-z0-9., _-]*$")
    # Free of any well-known service; the client's default as well.
    port: int = Field(8077, ge=0, le=65535)
    # One queue: a worker on several of them can lose a job (BLPOP has no intermediate queue).
    queue: str = Field("proctor", pattern=r"^[A-Za-z0-9_.-]+$")

    # Of API and workers. auto: text on a terminal, else JSON.
    log_format: LogFormat = "auto"

    # -- the sandbox --
    # Docker where an engine answers, else bubblewrap.
    sandbox: Literal["auto", "docker", "bubblewrap"] = "auto"
    # The engine's own default (runc); crun, runsc and kata are for those who installed them.
    runtime: str | None = None
    # Images of one's own in the place of proctor-<family>: family=image, commas between.
    images: str = Field("", pattern=r"^([a-z]+=[^,=\s]+(,[a-z]+=[^,=\s]+)*)?$")
    # The core that this worker's sandboxes are kept on; `proctor up` gives each worker its own.
    core: int | None = Field(None, ge=0)
    # See proctor_sandbox.pool for why; 1 is a fresh sandbox for each program.
    max_programs: int = Field(DEFAULT_MAX_PROGRAMS, ge=1)
    spares: int = Field(DEFAULT_SPARES, ge=0)
    # Longer than an engine's restart (10 s) and an image pull on a slow line; then it is IE.
    sandbox_patience_s: float = Field(300.0, ge=0)
    # A program runs one at a time in a worker, so more workers than cores only add noise.
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)

    # -- what a request may hold --
    # 50,000 programs of 5 KB, or CodeContests' largest problem with all its tests, fit.
    max_body_bytes: int = Field(256 * MIB, ge=1024)
    # Codeforces takes 64 KiB; generated code with tables is larger, 1 MiB is never honest work.
    max_source_bytes: int = Field(1 * MIB, ge=1)
    # Of one submission, problem or test, in base64 too: a sandbox has 256 MiB for all of it.
    max_files_bytes: int = Field(32 * MIB, ge=0)
    # A rollout step of 1,000 prompts x 32 samples, with room.
    max_batch_items: int = Field(50_000, ge=1)
    # The largest CodeContests problem has about 500 tests.
    max_tests: int = Field(2_000, ge=1)
    # Clients and proxies cut idle connections after 60 s; a client asks again.
    max_wait_s: float = Field(55.0, ge=0)
    # Beyond it the API answers 503 instead of filling Redis: several hours of work for 8 cores.
    max_pending: int = Field(2_000_000, ge=1)

    # -- formats of others --
    # All, so that changing one URL is enough; they ask for the same keys as all else.
    wire_formats: Annotated[frozenset[WireFormat], NoDecode, BeforeValidator(_names)] = ALL_FORMATS

    # -- how long things are kept --
    # A trainer that crashed and resumed is back within the hour; more only costs memory.
    results_ttl_s: int = Field(3600, ge=1)
    # Equal programs come from one rollout step or its neighbours, minutes apart.
    outcome_ttl_s: int = Field(3600, ge=0)
    # Programs beside their results, for who looks at one: a quarter of their bytes in Redis.
    keep_sources: bool = True
    # A problem version that no id points at any more may still have queued work.
    orphan_problem_ttl_s: int = Field(24 * 3600, ge=60)

    def redis_password(self) -> str | None:
        """The password that is not in the address, if there is one."""
        if self.redis_password_file is None:
            return None
        return self.redis_password_file.read_text().strip()

    def own_images(self) -> dict[str, str]:
        """The images that are not Proctor's own, by family."""
        return dict(pair.split("=") for pair in self.images.split(",") if pair)

    def limit_rules(self) -> LimitRules:
        """What a problem may ask for, and what it gets that asks for nothing."""
        return LimitRules()


def read_settings() -> Settings:
    """The settings of this process's environment; what can't be one is a usage error."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"PROCTOR_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise click.UsageError(f"{faults} (docs/api.md lists the settings)") from None
