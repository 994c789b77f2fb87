"""Compiled updates are the others' updates, and are compiled once for all targets."""

import pytest
import torch
from test_coupling_operators import coupled

from genviz.interfaces import Objective
from genviz.objectives.per_image import PerImage
from genviz.objectives.sum import Sum
from genviz.training import compiled
from genviz.training.compiled import CompiledSteps

DECODER = ["generator.widths=[16,8,8]", "generator.kernels=[2,3,3]"]
CASES = {
    "untrained": ["generator=untrained", *DECODER],
    "moving": ["experiment=despraz2017", *DECODER],
    "pretrained": ["generator=pretrained"],
    "pixels": ["generator=pixels", "optimizer=adam"],
    "fourier": ["experiment=natural_views", "transform=[views,flip,colours,dropout]", "generator.size=[32,32]"],
    "ramp": ["generator=pixels", "objective.activation.warm_up=2", "objective.activation.ramp=5"],
}
FEW = ["class:1", "filter:relu2_1:3", "class:4@0.5+7"]
OTHERS = ["class:11", "filter:relu2_1:2", "class:5@0.25+8"]


def trained(coupling, steps, updates=6):
    """The rows of some updates, and the generator's state after them."""
    made = coupling.configure_optimizers()
    optimizer = made["optimizer"] if isinstance(made, dict) else made
    coupling.compiled, rows = steps, []
    for update in range(updates):
        type(coupling).global_step = property(lambda _, update=update: update)
        outputs = coupling.training_step(None, update)
        optimizer.zero_grad()
        outputs["loss"].backward()
        optimizer.step()
        rows.append(outputs["metrics"].detach().clone())
    return torch.stack(rows), coupling.state_dict()


@pytest.fixture(autouse=True)
def _global_step():
    from genviz.coupling import Coupling

    yield
    if "global_step" in vars(Coupling):
        del Coupling.global_step


RARE = ("moving", "pretrained", "fourier", "ramp")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(
            CASES[name],
            id=name,
            marks=pytest.mark.campaign if name in RARE or name == "untrained" else pytest.mark.slow,
        )
        for name in CASES
    ],
)
def test_they_are_the_same_and_another_batchs_too(tmp_path, words, capfd):
    steps, classifier = CompiledSteps("aot_eager"), None
    for targets in (FEW, OTHERS):
        found = []
        for compiles in (steps, None):
            torch.manual_seed(0)
            coupling = coupled(tmp_path, targets, *words, classifier=classifier).double()
            classifier = coupling.classifier
            found.append(trained(coupling, compiles))
            assert (coupling.generator.update, coupling.objective.update) == (5, 5)  # numbers, as before
        torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-9, atol=1e-9)
        for name, value in found[0][1].items():
            torch.testing.assert_close(value, found[1][1][name], rtol=1e-9, atol=1e-9)
    assert capfd.readouterr().err.count("compiled in") == 1


class Own(Objective):
    layers = ("scores",)

    def forward(self, seen):
        return seen["scores"][:, 0]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["generator=pixels", "transform=roll"], "whole numbers"),
        (["experiment=kocur2021_deepdream", "generator.start=noise"], "a number that is only known later"),
        (["generator=pixels"], "takes one target"),
    ],
)
def test_what_cannot_be_compiled_says_so_in_one_line_and_goes_on(tmp_path, words, why, capfd):
    found = []
    for steps in (CompiledSteps("aot_eager"), None):
        coupling = coupled(tmp_path, ["layer:relu2_1", "layer:relu3_1"], *words, "generator.size=[40,40]")
        if why == "takes one target":
            coupling.objective = Sum({"own": PerImage([Own(), Own()])})
        found.append(trained(coupling, steps))
    assert torch.equal(found[0][0], found[1][0])
    (begun, told) = [line for line in capfd.readouterr().err.splitlines() if "compil" in line]
    assert begun == "compiling the updates of 2 images ..."
    assert "not compiled: " in told
    assert why in told


def test_an_error_of_the_compiler_is_one_line(tmp_path, monkeypatch, capfd):
    def broken(*_, **__):
        raise RuntimeError("no compiler\nin two lines")

    monkeypatch.setattr(compiled.torch, "compile", broken)
    rows, _ = trained(coupled(tmp_path, FEW, "generator=pixels"), CompiledSteps())
    assert len(rows) == 6
    assert capfd.readouterr().err.splitlines()[-1] == "not compiled: no compiler"


@pytest.mark.campaign
def test_inductor_compiles_them(tmp_path, capfd):
    found = [
        trained(coupled(tmp_path, FEW, "generator=pixels", "optimizer=adam"), steps)
        for steps in (CompiledSteps(), None)
    ]
    assert "compiled in" in capfd.readouterr().err
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-3, atol=1e-3)


def test_a_batch_whose_rows_are_of_another_length_is_compiled_for_itself(tmp_path):
    """Of both, the layers, kinds and numbers of units are the same; only a target of several units tells each."""
    keys = []
    for targets in (
        ["class:1", "class:2", "filter:relu2_1:3"],
        ["class:5+filter:relu2_1:4", "class:6", "filter:relu2_1:7"],
    ):
        step = compiled._Pass(coupled(tmp_path, targets, "generator=pixels"))
        step.recorded()
        keys.append(step.key)
    assert keys[0] != keys[1]
