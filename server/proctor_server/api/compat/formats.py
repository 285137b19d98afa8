"""The wire formats that there are, and where they are put into the application."""

from collections.abc import Collection

from fastapi import APIRouter, FastAPI

from proctor_server.api.compat import (
    e2b,
    jupyter,
    nemo_gym,
    open_instruct,
    openrlhf,
    piston,
    sandbox_fusion,
    sandbox_fusion_datasets,
    sandbox_fusion_submit,
    slime,
)
from proctor_server.settings import WireFormat

_ROUTERS: dict[WireFormat, tuple[APIRouter, ...]] = {
    "e2b": (e2b.router,),
    "nemo_gym": (nemo_gym.router,),
    "open_instruct": (open_instruct.router,),
    "openrlhf": (openrlhf.router,),
    "piston": (piston.router,),
    "sandbox_fusion": (
        sandbox_fusion.router,
        jupyter.router,
        sandbox_fusion_submit.router,
        sandbox_fusion_datasets.router,
    ),
    "slime": (slime.router,),
}


def install(app: FastAPI, names: Collection[WireFormat]) -> None:
    """Serve these formats. All are at the root, so that a client needs no more than our address."""
    for name in sorted(names):
        for router in _ROUTERS[name]:
            app.include_router(router)
