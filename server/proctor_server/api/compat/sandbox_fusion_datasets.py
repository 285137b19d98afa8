"""SandboxFusion's datasets, over the problems that are stored here.

A dataset is what stands before the first slash of a problem's id; ids without one are in none.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from proctor.types import ProblemInfo
from proctor_server.api.access import admit
from proctor_server.api.compat.peer import Posted, posted, refusing
from proctor_server.api.compat.sandbox_fusion import refusal
from proctor_server.api.services import of
from proctor_server.callers import Scope
from proctor_server.errors import NotFound
from proctor_server.store.problems import Problems

router = APIRouter(route_class=refusing(refusal), include_in_schema=False)

_IDS_AT_ONCE = 1000
# What comes right after a slash in the order of bytes, in which ids are kept.
_AFTER_SLASH = "0"


class Page(Posted):
    """What /get_prompts and /list_ids take."""

    dataset: str
    offset: int = Field(0, ge=0)
    limit: int = Field(1_000_000, ge=0)


class PromptId(Posted):
    """What /get_prompt_by_id takes."""

    dataset: str
    id: int | str


@router.get("/list_datasets")
async def list_datasets(request: Request) -> list[str]:
    """The datasets that there are."""
    admit(request, Scope.READ)
    return await datasets(of(request).problems)


@router.post("/list_ids")
async def list_ids(request: Request) -> list[str]:
    """The ids of a dataset's prompts, without the dataset."""
    services, _, asked = await posted(request, Page, Scope.READ)
    names = await _ids(services.problems, asked)
    return [name.partition("/")[2] for name in names]


@router.post("/get_prompts")
async def get_prompts(request: Request) -> Response:
    """Statements of a dataset's problems."""
    services, _, asked = await posted(request, Page, Scope.READ)
    names = await _ids(services.problems, asked)
    found = []
    for start in range(0, len(names), _IDS_AT_ONCE):
        page = names[start : start + _IDS_AT_ONCE]
        found += [prompt(one) for one in await services.problems.infos(page)]
    return JSONResponse(found)


@router.post("/get_prompt_by_id")
async def get_prompt_by_id(request: Request) -> Response:
    """One problem's statement."""
    services, _, asked = await posted(request, PromptId, Scope.READ)
    found = await services.problems.infos([f"{asked.dataset}/{asked.id}"])
    if not found:
        raise NotFound("there is no problem with this id in this dataset")
    return JSONResponse(prompt(found[0]))


def prompt(info: bytes) -> dict[str, Any]:
    """A Prompt; its labels are the problem's metadata."""
    problem = ProblemInfo.model_validate_json(info)
    return {
        "id": problem.id.partition("/")[2],
        "prompt": problem.statement,
        "labels": problem.metadata,
    }


async def datasets(problems: Problems) -> list[str]:
    """The datasets of the problems that are stored, in order; each costs one look."""
    found: set[str] = set()
    after: str | None = None
    while names := await problems.ids(after, _IDS_AT_ONCE):
        found |= {name.partition("/")[0] for name in names if "/" in name}
        dataset, slash, _ = names[-1].partition("/")
        after = dataset + _AFTER_SLASH if slash else dataset
    return sorted(found)


async def _ids(problems: Problems, asked: Page) -> list[str]:
    """The ids of a page of a dataset."""
    prefix = f"{asked.dataset}/"
    names: list[str] = []
    after, most = prefix, asked.offset + asked.limit
    while len(names) < most:
        page = await problems.ids(after, min(_IDS_AT_ONCE, most - len(names)))
        inside = [name for name in page if name.startswith(prefix)]
        names += inside
        if not inside or len(inside) < len(page):
            break
        after = inside[-1]
    return names[asked.offset :]
