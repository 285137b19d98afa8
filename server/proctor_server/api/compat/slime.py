"""slime's remote reward model: /remote_rm, one sample at a time."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import JsonValue

from proctor_server.api.compat.labels import Policy, Unscored, labelled, scored
from proctor_server.api.compat.peer import Posted, posted

router = APIRouter(include_in_schema=False)


class RemoteRm(Posted):
    """What slime sends. The prompt may be text or messages, and is not looked at."""

    response: str
    label: JsonValue


@router.post("/remote_rm")
async def remote_rm(
    request: Request,
    policy: Policy = "pass_rate",
    unscored: Unscored = None,
    detail: bool = False,
) -> Response:
    """A sample's reward, as the bare number; with `detail` an object, for --reward-key.

    Without `unscored` a fault of ours is an error, after which slime asks ten times.
    """
    services, caller, asked = await posted(request, RemoteRm)
    [sample] = await scored(
        services,
        caller,
        [labelled(asked.label, asked.response, "label")],
        request.is_disconnected,
        where=lambda _, name: "label" if name != "completion" else "response",
        policy=policy,
        unscored=unscored,
    )
    if not detail:
        return JSONResponse(sample.reward)
    return JSONResponse(
        {
            "reward": sample.reward,
            "pass_rate": sample.result.pass_rate or 0.0,
            "verdict": sample.result.verdict,
            "unscored": float(sample.is_unscored),
        }
    )
