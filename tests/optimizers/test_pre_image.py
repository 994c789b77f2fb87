import pytest
import torch

from genviz.errors import UserError
from genviz.optimizers.pre_image import PreImage


def test_it_is_algorithm_1():
    """A loop written from Mahendran & Vedaldi 2016, number by number."""
    torch.manual_seed(0)
    start = 90 * torch.randn(1, 3, 2, 2, dtype=torch.float64)
    wanted = torch.randn_like(start) * 200
    x = torch.nn.Parameter(start.clone())
    optimizer = PreImage([x], lr=5.0, bound=160.0)
    eta, rho, bound = 5.0 * 2 * 2, 0.9, 160.0
    slow = {(k, v, u): start[0, k, v, u].item() for k in range(3) for v in range(2) for u in range(2)}
    squares, mu = dict.fromkeys(slow, 0.0), dict.fromkeys(slow, 0.0)
    for _ in range(7):
        optimizer.zero_grad()
        ((x - wanted) ** 2 / 100).sum().backward()
        optimizer.step()
        for place in slow:
            k, v, u = place
            g = 2 * (slow[place] - wanted[0, k, v, u].item()) / 100
            squares[place] = rho * squares[place] + g**2
            mu[place] = rho * mu[place] - g / (1 / eta + squares[place] ** 0.5)
            slow[place] += mu[place]
        for v in range(2):
            for u in range(2):
                length = sum(slow[k, v, u] ** 2 for k in range(3)) ** 0.5
                for k in range(3):
                    slow[k, v, u] *= min(1.0, bound / length)
        for (k, v, u), value in slow.items():
            assert x[0, k, v, u].item() == pytest.approx(value, rel=1e-9)
    assert any(x.detach().norm(dim=1).flatten() > 159.99)  # the bound was met


@pytest.mark.parametrize("shape", [(1, 3, 2, 2), (2, 5)])
def test_from_a_step_on_the_rate_is_a_tenth_and_the_momentum_begins_anew(shape):
    """Number by number; the memory of the gradients is kept."""
    torch.manual_seed(0)
    start = torch.randn(shape, dtype=torch.float64)
    wanted = torch.randn_like(start) * 3
    x = torch.nn.Parameter(start.clone())
    optimizer, until = PreImage([x], lr=0.05, rho=0.8, bound=None, until=4), 4
    pixels = 4 if len(shape) == 4 else 1
    slow, squares, mu = start.flatten().tolist(), [0.0] * start.numel(), [0.0] * start.numel()
    aims = wanted.flatten().tolist()
    for step in range(9):
        optimizer.zero_grad()
        ((x - wanted) ** 2).sum().backward()
        optimizer.step()
        eta = 0.05 * pixels * (0.1 if step >= until else 1.0)
        if step == until:
            mu = [0.0] * len(mu)
        for place, aim in enumerate(aims):
            g = 2 * (slow[place] - aim)
            squares[place] = 0.8 * squares[place] + g**2
            mu[place] = 0.8 * mu[place] - g / (1 / eta + squares[place] ** 0.5)
            slow[place] += mu[place]
        assert x.detach().flatten().tolist() == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("stop", [3, 4, 5])
def test_saved_around_the_step_it_goes_on_in_the_same_bits(stop):
    pictures = []
    for at in (None, stop):
        torch.manual_seed(0)
        x = torch.nn.Parameter(torch.randn(1, 3, 2, 2))
        optimizer = PreImage([x], until=4)
        for update in range(7):
            if update == at:
                state, optimizer = optimizer.state_dict(), PreImage([x], until=4)
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            (x**2).sum().backward()
            optimizer.step()
        pictures.append(x.detach().clone())
    assert torch.equal(*pictures)


def test_without_a_bound_it_may_go_anywhere():
    x = torch.nn.Parameter(torch.full((1, 3, 2, 2), 1000.0))
    x.grad = torch.zeros_like(x)
    PreImage([x], bound=None).step()
    assert (x == 1000).all()


def test_it_goes_on_where_it_was_saved():
    pictures = []
    for stop in (None, 3):
        torch.manual_seed(0)
        x = torch.nn.Parameter(torch.randn(1, 3, 2, 2))
        optimizer = PreImage([x])
        for update in range(6):
            if update == stop:
                state = optimizer.state_dict()
                optimizer = PreImage([x])
                optimizer.load_state_dict(state)
            optimizer.zero_grad()
            (x**2).sum().backward()
            optimizer.step()
        pictures.append(x.detach().clone())
    assert torch.equal(*pictures)


@pytest.mark.parametrize("settings", [{"lr": 0}, {"rho": 1}, {"bound": -1}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(UserError, match="above 0"):
        PreImage([torch.nn.Parameter(torch.ones(1))], **settings)


@pytest.mark.parametrize("until", [-1, 2.5, "late", True])
def test_until_is_a_step(until):
    with pytest.raises(UserError, match="until"):
        PreImage([torch.nn.Parameter(torch.ones(1))], until=until)
