"""The languages that workers have, with their versions."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from proctor_sandbox.languages import LANGUAGES
from proctor_server.api import schema
from proctor_server.api.access import admit
from proctor_server.api.services import of
from proctor_server.callers import Scope

router = APIRouter(tags=["service"])


class LanguageInfo(BaseModel):
    """A language, as the workers that are there have it."""

    name: str
    aliases: list[str] = Field(description="Taken for its name wherever a language is named.")
    version: str | None = Field(description="As its tools say; null: not asked, or no answer.")
    family: str = Field(description="The image that holds it.")
    file: str = Field(description="What a program's main file is called.")


class Languages(BaseModel):
    """All of them."""

    languages: list[LanguageInfo]


@router.get("/v1/languages", summary="Languages and versions", responses=schema.faults(503))
async def languages(request: Request) -> Languages:
    """What programs may be written in here, and the versions that really run them."""
    admit(request, Scope.READ)
    services = of(request)
    await services.look()
    versions: dict[str, str] = {}
    for worker in services.workers:
        versions |= worker.versions
    there = {name for worker in services.workers for name in worker.languages}
    return Languages(
        languages=[
            LanguageInfo(
                name=one.name,
                aliases=list(one.aliases),
                version=versions.get(one.name),
                family=one.image,
                file=one.file,
            )
            for one in LANGUAGES.values()
            if one.name in there
        ]
    )
