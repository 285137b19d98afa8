"""Checkpoints: written whole or not at all, read again."""

import os
from pathlib import Path
from typing import Any

import torch

_NAME = "checkpoint.pt"


def save(folder: Path, state: dict[str, Any]) -> Path:
    """Write a state to the folder's checkpoint, in place of the last one. Raises OSError."""
    path = folder / _NAME
    new = path.with_suffix(".new")
    torch.save(state, new)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(path)
    return path


def load(folder: Path) -> dict[str, Any] | None:
    """The state in the folder's checkpoint; None where there is none.

    Only tensors and plain values are read: a checkpoint runs no code.
    """
    path = folder / _NAME
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
