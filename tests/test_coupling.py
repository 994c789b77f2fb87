from collections import Counter

import torch
from bare_trainer import fit

from genviz.coupling import Coupling
from genviz.generators.pixels import Pixels
from genviz.images.randomness import Streams
from genviz.objectives.activation import Activation
from genviz.objectives.content import Content
from genviz.objectives.sum import Sum
from genviz.regularizers.parameter_norm import ParameterNorm
from genviz.regularizers.total_variation import TotalVariation
from genviz.targets.grammar import parse_target
from genviz.transforms.roll import RandomRoll
from genviz.transforms.views import RandomViews


def couple(classifier, text="class:harmonica", warm_up=0, **parts):
    torch.manual_seed(0)
    target = parse_target(text, classifier.outline.labels, classifier.outline.layers)
    settings = {
        "generator": Pixels(size=(12, 12), noise=0.1),
        "objective": Activation(target, lambda_others=0.1, warm_up=warm_up),
        "optimizer": lambda parameters: torch.optim.Adam(parameters, lr=0.05),
    }
    return Coupling(classifier=classifier, target=target, **{**settings, **parts})


def step(coupling):
    """The loss of an update, and what it tells of each target."""
    outputs = coupling.training_step(None, 0)
    return outputs["loss"], coupling.metrics.named(outputs["metrics"])


def test_the_loss_is_the_sentence(classifier):
    regularizers = {
        "variation": TotalVariation(weight=0.5),
        "norm": ParameterNorm(weight=2, parameter="pixels", order=2),
    }
    coupling = couple(classifier, regularizers=regularizers)
    loss, (metrics,) = step(coupling)
    images = coupling.generator().images
    scores = classifier(images, ["scores"])["scores"].relu()[0]
    variation = 0.5 * ((images.diff(dim=2).abs().sum() + images.diff(dim=3).abs().sum()) / 144)
    norm = 2 * coupling.generator.values.square().sum().sqrt()
    expected = variation + norm - (scores[1] - 0.1 * (scores.sum() - scores[1]))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(metrics["penalty/variation"], variation)
    torch.testing.assert_close(metrics["activation"], classifier(images, ["scores"])["scores"][0, 1])


def test_the_score_is_the_mean_over_the_views(classifier):
    coupling = couple(classifier, transforms=[RandomViews(views=3, rotate=10, shift=0.1)])
    torch.manual_seed(1)
    loss = coupling.training_step(None, 0)["loss"]
    torch.manual_seed(1)
    seen = classifier(coupling.transforms(coupling.generator().images), ["scores"])
    torch.testing.assert_close(loss, -coupling.objective(seen).mean())


def test_training_raises_the_activation_and_moves_the_generator_alone(classifier):
    coupling = couple(classifier, warm_up=30)  # the tiny classifier's score begins below 0
    frozen = {name: value.clone() for name, value in classifier.state_dict().items()}
    before = step(coupling)[1][0]["activation"]
    fit(coupling, 30)
    assert step(coupling)[1][0]["activation"] > before + 0.01
    assert all(torch.equal(value, frozen[name]) for name, value in classifier.state_dict().items())
    assert not any(parameter.grad is not None for parameter in classifier.parameters())


def test_the_classifier_is_in_no_checkpoint(classifier, tmp_path):
    trainer = fit(couple(classifier), 2)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert list(checkpoint["state_dict"]) == ["generator.values"]


def test_a_checkpoint_that_lacks_a_key_is_refused(classifier):
    coupling = couple(classifier)
    try:
        coupling.load_state_dict({}, strict=False)
    except RuntimeError as error:
        assert "values" in str(error)
    else:
        raise AssertionError("an empty state dict was taken")


def test_the_settled_picture_leaves_the_mode_as_it_was(classifier):
    coupling = couple(classifier)
    coupling.generator.train()
    assert coupling.settled().shape == (1, 3, 12, 12)
    assert coupling.generator.training


def test_a_mixture_reports_each_of_its_units(classifier):
    metrics = step(couple(classifier, "class:tench+harmonica@2"))[1][0]
    parts = metrics["activation/class:tench"] + 2 * metrics["activation/class:harmonica"]
    torch.testing.assert_close(metrics["activation"], parts)


def test_the_sum_of_several_objectives_reports_each(classifier):
    torch.manual_seed(0)
    target = parse_target("class:harmonica", classifier.outline.labels, classifier.outline.layers)
    picture = torch.rand(1, 3, 12, 12)
    parts = {
        "activation": Activation(target, classifier.outline, weight=2.0),
        "content": Content(target, classifier.outline, image=picture, at="layer:conv1", weight=0.5),
    }
    metrics = step(couple(classifier, objective=Sum(parts)))[1][0]
    torch.testing.assert_close(metrics["score"], metrics["score/activation"] + metrics["score/content"])
    images = couple(classifier).generator().images
    distance = (classifier(images, ["conv1"])["conv1"] - classifier(picture, ["conv1"])["conv1"]).square().sum()
    torch.testing.assert_close(metrics["score/content"], -0.5 * distance.detach() / 2)
    _, (alone,) = step(couple(classifier, objective=Sum({"activation": parts["activation"]})))
    assert not any(name.startswith("score/") for name in alone)


def test_the_objective_looks_at_its_picture_before_the_training(classifier):
    told = []

    class Remembering(Activation):
        def remember(self, classifier, size):
            told.append((classifier, size))

    target = parse_target("class:harmonica", classifier.outline.labels, classifier.outline.layers)
    couple(classifier, objective=Remembering(target))
    assert told == [(classifier, (12, 12))]


def test_a_checkpoint_keeps_where_the_images_streams_stand(classifier, tmp_path):
    made = []
    for stop in (None, 4):
        streams = Streams([3, 5])
        parts = {"streams": streams, "transforms": [RandomRoll(pixels=3)]}
        coupling = couple(classifier, generator=Pixels(size=(12, 12), noise=0.1, streams=streams), **parts)
        if stop is not None:
            fit(coupling, stop).save_checkpoint(tmp_path / "last.ckpt")
            streams = Streams([8, 9])  # other ones, until the checkpoint is read
            parts = {"streams": streams, "transforms": [RandomRoll(pixels=3)]}
            coupling = couple(classifier, generator=Pixels(size=(12, 12), noise=0.1, streams=streams), **parts)
        fit(coupling, 7, None if stop is None else tmp_path / "last.ckpt")
        made.append((coupling.settled(), streams.state()))
    assert torch.equal(made[0][0], made[1][0])
    assert all(torch.equal(*states) for states in zip(made[0][1], made[1][1], strict=True))


def test_a_generators_constraints_hold_after_each_update(classifier):
    class Bounded(Pixels):
        def constrain(self):
            self.constrained = self.values.detach().clone()
            with torch.no_grad():
                self.values.clamp_(-0.01, 0.01)

    generator = Bounded(size=(12, 12), noise=0)
    coupling = couple(classifier, generator=generator)
    fit(coupling, 3)
    assert generator.constrained.abs().max() > 0.01
    assert generator.values.abs().max() <= 0.01


def test_a_hooks_name_is_set_without_torchs_search(classifier, monkeypatch):
    coupling, set_by_torch = couple(classifier), Counter()
    own = torch.nn.Module.__setattr__
    monkeypatch.setattr(
        torch.nn.Module,
        "__setattr__",
        lambda module, name, value: set_by_torch.update([name]) or own(module, name, value),
    )
    fit(coupling, updates=2)
    assert set_by_torch["_is_checked"] == 1  # the search is still there for others
    assert set_by_torch["_current_fx_name"] == 0
