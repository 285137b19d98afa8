"""Muon: every direction of a matrix moves by about the same."""

import pytest
import torch
from torch import Tensor, nn

from proctor.train.muon import Muon


def moved(shape: tuple[int, int], gradient: Tensor, *, lr: float = 1.0) -> Tensor:
    matrix = nn.Parameter(torch.zeros(shape))
    matrix.grad = gradient
    Muon([matrix], lr=lr).step()
    return -matrix.detach()


@pytest.mark.parametrize("shape", [(8, 8), (8, 32), (32, 8)])
def test_a_step_is_as_large_in_all_directions_that_a_gradient_has(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(shape, generator=generator) @ torch.diag(torch.logspace(0, 2, shape[1]))
    step = moved(shape, gradient)
    tall = max(1.0, shape[0] / shape[1]) ** 0.5
    values = torch.linalg.svdvals(step) / tall
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_step_keeps_the_directions_of_the_gradient() -> None:
    gradient = torch.tensor([[0.0, 3.0], [0.5, 0.0]])
    step = moved((2, 2), gradient)
    assert step[0, 1] > 0.6
    assert step[1, 0] > 0.6
    assert step.diagonal().abs().max() < 1e-6


def test_the_size_of_a_gradient_does_not_matter_and_the_rate_does() -> None:
    gradient = torch.tensor([[1.0, 2.0], [-3.0, 1.0]])
    torch.testing.assert_close(moved((2, 2), gradient * 1000), moved((2, 2), gradient))
    torch.testing.assert_close(moved((2, 2), gradient, lr=0.25), moved((2, 2), gradient) * 0.25)


def test_a_matrix_without_a_gradient_stays() -> None:
    matrix = nn.Parameter(torch.ones(2, 2))
    Muon([matrix]).step()
    assert matrix.equal(torch.ones(2, 2))


def test_momentum_goes_on_after_a_resume() -> None:
    def optimizer(matrix: nn.Parameter) -> Muon:
        return Muon([matrix], lr=0.1)

    gradients = [torch.tensor([[1.0, 2.0], [-3.0, 1.0]]), torch.tensor([[0.0, 1.0], [1.0, 1.0]])]
    whole, cut = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2, 2))
    first, second = optimizer(whole), optimizer(cut)
    for matrix, each in ((whole, first), (cut, second)):
        matrix.grad = gradients[0]
        each.step()
    resumed = optimizer(cut)
    resumed.load_state_dict(second.state_dict())
    for matrix, each in ((whole, first), (cut, resumed)):
        matrix.grad = gradients[1]
        each.step()
    torch.testing.assert_close(whole, cut)
