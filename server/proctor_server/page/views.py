"""Views: what each page consists of, as HTML. A part is what can change while one looks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from proctor.types import PASS_RATES, ProblemStats, Verdict
from proctor_server.api.details import batch_page, submission
from proctor_server.api.services import Services
from proctor_server.api.statistics import problem_page
from proctor_server.api.waiting import no_batch
from proctor_server.callers import Caller, Scope
from proctor_server.page import words
from proctor_server.page.board import Board
from proctor_server.page.tally import NAMED, PLACES

FOLDER = Path(__file__).parent
_NEWEST = 12
_A_PAGE = 50
# Looking through more would take a second; then there is a link to go on.
_LOOKED_THROUGH = 5_000

_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "number": words.number,
    "seconds": words.seconds,
    "ago": words.ago,
    "at": words.at,
    "percent": words.percent,
    "size": words.size,
}
_templates.globals |= {
    "NONE": words.NONE,
    "VERDICTS": [one.value for one in Verdict],
    "NAMED": NAMED,
    "PASS_RATES": PASS_RATES,
}

Parts = Mapping[str, str]


def render(template: str, **facts: Any) -> str:
    """A template's HTML."""
    return _templates.get_template(template).render(facts)


async def overview(services: Services, board: Board, caller: Caller) -> Parts:
    """What the first page shows. Raises StoreUnavailable."""
    shown = await board.shown()
    newest = await batch_page(services, caller, None, _NEWEST)
    facts = {"stats": shown.stats, "charts": shown.charts, "page": newest, **_rights(caller)}
    names = ("now", "charts", "workers", "batches")
    return {name: render(f"parts/{name}.html", **facts) for name in names}


async def batch(
    services: Services, board: Board, caller: Caller, batch_id: str, verdict: str
) -> Parts:
    """What the page of one batch shows; of its submissions those with this verdict are named.

    Raises NotFound, StoreUnavailable.
    """
    status = await services.batches.status(batch_id)
    tally = await board.tallies.of(batch_id)
    if status is None or tally is None:
        raise no_batch()
    named = {"cancelled" if key is None else key.value: of_it for key, of_it in tally.named.items()}
    chosen = verdict if verdict in named else next(iter(sorted(named, key=_worst_first)), "")
    facts = {
        "batch": status,
        "places": list(zip(PLACES, tally.places, strict=True)),
        "counted": tally.counted,
        "mean": tally.mean,
        "named": named,
        "chosen": chosen,
        **_rights(caller),
    }
    return {"batch": render("parts/batch.html", **facts)}


async def batches(services: Services, caller: Caller, after: str | None) -> dict[str, Any]:
    """What the list of batches shows. Raises BadRequest, StoreUnavailable."""
    return {"page": await batch_page(services, caller, after, _A_PAGE), **_rights(caller)}


async def one_submission(services: Services, batch_id: str, index: int) -> dict[str, Any]:
    """What the page of one submission shows. Raises NotFound, StoreUnavailable."""
    status = await services.batches.status(batch_id)
    if status is None:
        raise no_batch()
    return {"batch": status, "one": await submission(services, batch_id, index)}


async def problems(services: Services, after: str | None, suspicious: bool) -> dict[str, Any]:
    """What the list of problems shows. Raises StoreUnavailable."""
    if not suspicious:
        page = await problem_page(services, after, _A_PAGE)
        return {"problems": page.problems, "next": page.next, "suspicious": False}
    found: list[ProblemStats] = []
    following = after
    for _ in range(_LOOKED_THROUGH // 1000):
        page = await problem_page(services, following, 1000)
        found += [one for one in page.problems if one.suspicious is not None]
        following = page.next
        if following is None:
            break
    return {"problems": found, "next": following, "suspicious": True}


def _rights(caller: Caller) -> dict[str, bool]:
    may_cancel = caller.is_admin or Scope.SUBMIT in caller.scopes
    return {"may_cancel": may_cancel, "sees_all": caller.is_admin and caller.name != ""}


def _worst_first(verdict: str) -> int:
    order = ("IE", "RE", "TLE", "MLE", "OLE", "CE", "WA", "cancelled", "AC")
    return order.index(verdict)
