import warnings

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from genviz.analysis.visualization import visualize
from genviz.classifiers.from_module import from_module

SPACE = {"input_size": 16, "mean": (0, 0, 0), "std": (1, 1, 1)}
SETTINGS = {"updates": 2, "accelerator": "cpu"}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    maps = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3)
    return nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))


def drawn(network):
    return visualize(network, "filter:2:1", **SPACE, **SETTINGS).images


@pytest.fixture(scope="module")
def wanted(network):
    return drawn(network)


CONTEXTS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "device": lambda: torch.device("meta"),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "warnings": lambda: warnings.catch_warnings(action="error"),
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_the_callers_context_changes_nothing_and_stays(network, wanted, name):
    with warnings.catch_warnings(action="ignore", category=UserWarning), CONTEXTS[name]():
        before = state()
        made = drawn(network)
        assert state() == before
    assert torch.equal(made, wanted)


def state():
    modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    return (*modes, torch.get_default_dtype(), torch.get_default_device(), torch.is_anomaly_enabled())


def test_neither_does_another_number_format(network, wanted):
    torch.set_default_dtype(torch.float64)
    try:
        made = drawn(network)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(made, wanted)


def test_a_classifier_made_in_inference_mode_works_outside(network, wanted):
    with torch.inference_mode():
        classifier = from_module(network, **SPACE)
    assert torch.equal(visualize(classifier, "filter:2:1", **SETTINGS).images, wanted)


def test_a_graph_that_waits_for_its_backward_pass_is_left_alone(network):
    images = torch.rand(2, 3, 16, 16)
    network(images).sum().backward()
    wanted = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    loss = network(images).sum()
    drawn(network)
    loss.backward()
    assert all(map(torch.equal, (parameter.grad for parameter in network.parameters()), wanted))


class Training(pl.LightningModule):
    """Draws in the middle of its own training and validation."""

    def __init__(self, network):
        super().__init__()
        self.network, self.found, self.draws = network, [], True

    def training_step(self, batch, index):
        loss = self.network(batch).square().mean()
        self.draw()
        return loss

    def validation_step(self, batch, index):
        self.draw()

    def draw(self):
        if self.draws:
            before = state(), self.training
            self.found.append(drawn(self.network).shape)
            assert (state(), self.training) == before

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


def test_lightnings_loops_go_on_as_without(network):
    weights, whole = [], {name: value.clone() for name, value in network.state_dict().items()}
    for draws in (False, True):
        network.load_state_dict(whole)
        training = Training(network)
        training.draws = draws
        pictures = torch.utils.data.DataLoader(torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)), 2)
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = pl.Trainer(
            max_epochs=1,
            accelerator="cpu",
            precision="bf16-mixed",
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            **quiet,
        )
        trainer.fit(training, pictures, pictures)
        assert trainer.global_step == 1
        weights.append({name: value.clone() for name, value in network.state_dict().items()})
    assert len(training.found) == 2
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in whole)
