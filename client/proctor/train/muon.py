"""Muon: momentum whose matrices are made orthogonal, for the weights between hidden layers.

Source: Keller Jordan, "Muon: An optimizer for hidden layers in neural networks" (2024), of which
the five steps of Newton and Schulz and their coefficients are. torch.optim.Muon computes them in
bfloat16, for which a CPU without such instructions takes 26 times as long as in float32.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 5


class Muon(torch.optim.Optimizer):
    """An optimizer of matrices; everything else goes to AdamW.

    Args:
        matrices: parameters of two dimensions.
        lr: the learning rate; 0.02 serves widths from 64 to 1,024.
        momentum: of the gradients, in Nesterov's form.
    """

    def __init__(
        self, matrices: Iterable[Tensor], *, lr: float = 0.02, momentum: float = 0.95
    ) -> None:
        super().__init__(list(matrices), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """One update."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                momentum = state.setdefault("momentum", torch.zeros_like(matrix))
                momentum.lerp_(matrix.grad, 1 - group["momentum"])
                ahead = matrix.grad.lerp(momentum, group["momentum"])
                # A tall matrix has fewer directions than outputs: its step is as large in each.
                size = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                matrix.sub_(_orthogonal(ahead), alpha=group["lr"] * size)


def _orthogonal(matrix: Tensor) -> Tensor:
    """About the nearest matrix whose singular values are all 1 (from 0.7 to 1.2 in fact)."""
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(_STEPS):
        square = x @ x.T
        x = _A * x + (_B * square + _C * square @ square) @ x
    return x.T if tall else x
