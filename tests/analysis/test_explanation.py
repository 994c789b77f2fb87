import pytest
import torch

import genviz
from genviz.analysis import explanation
from genviz.analysis.explanation import Explained, Explainer, Likeness, map_layer, pooled_layer, value_of
from genviz.attribution.methods import METHODS, Settings, find_methods
from genviz.attribution.randomization import randomized
from genviz.targets.grammar import parse_target


@pytest.fixture(scope="module")
def small():
    return genviz.load_classifier("small", input_size=64)


def explainer(classifier, *names, **more):
    outline = classifier.outline
    settings = Settings(map_layer(outline, None), pooled_layer(outline, None), size=32, stride=32, points=2, samples=2)
    return Explainer(classifier, find_methods(names), settings, **more)


def test_layers_lie_before_the_target(small):
    outline = small.outline
    assert map_layer(outline, None).name == "relu5_2"
    target = parse_target("filter:relu3_1:0", outline.labels, outline.layers)
    names = [layer.name for layer in outline.layers]
    assert names.index(map_layer(outline, target).name) < names.index("relu3_1")
    assert pooled_layer(outline, target).name == "relu3_1"
    first = parse_target("filter:conv1_1:0", outline.labels, outline.layers)
    assert map_layer(outline, first) is None
    assert map_layer(outline, first, "relu2_1").name == "relu2_1"


def test_what_is_measured(small):
    outline, image = small.outline, torch.rand(1, 3, 64, 64)
    probability = value_of(small, parse_target("class:zebra", outline.labels, outline.layers), image)
    assert probability.name == "probability"
    seen = small(image, ["scores"])["scores"].softmax(1)
    torch.testing.assert_close(probability.of(image), seen[:, 340])
    share = value_of(small, parse_target("filter:relu3_1:2+5", outline.labels, outline.layers), image)
    assert share.name == "share of the activation"
    assert share.of(image).item() == pytest.approx(1)


def test_top1_is_what_the_network_says(small):
    image = torch.rand(1, 3, 64, 64)
    best = int(small(image, ["scores"])["scores"].argmax())
    assert explainer(small, "saliency").target("top1", image).units[0].index == (best,)


def test_each_map_has_its_numbers_and_verdict(small):
    image = torch.rand(1, 3, 64, 64)
    made = explainer(small, "saliency", "guided_backpropagation", "gradcam", "occlusion", steps=4)
    target = made.target("top1", image)
    chance = made.unordered(target, image)
    found = list(made.explain(image, target, checked=True))
    assert [one.method.name for one in found] == ["saliency", "guided_backpropagation", "gradcam", "occlusion"]
    for one in found:
        verdict = one.verdict(chance)
        assert f"deletion {one.faithfulness.deletion:.3f}" in verdict
        says = "depends" if one.likeness.half < 0.5 else "hardly depends"
        assert f"; {says} on the upper layers' weights (rank correlation {one.likeness.half:.2f} without" in verdict
        pixels, _ = one.picture(image[0])
        assert pixels.shape == (64, 64, 3)
    likeness = {one.method.name: one.likeness.half for one in found}
    assert likeness["guided_backpropagation"] > likeness["saliency"]  # Adebayo et al. 2018
    assert list(explainer(small, "saliency", steps=0).explain(image, target))[0].verdict(None) == "not checked"  # noqa: RUF015


@pytest.mark.parametrize(
    ("half", "says"), [(-0.9, "depends"), (0.499, "depends"), (0.5, "hardly depends"), (0.9, "hardly depends")]
)
def test_from_a_rank_correlation_of_a_half_up_a_map_hardly_depends_on_the_weights(half, says):
    found = Explained(METHODS["saliency"], torch.ones(4, 4), None, Likeness(half, whole=1 - half))
    assert found.verdict(None) == f"{says} on the upper layers' weights (rank correlation {half:.2f} without them)"
    assert found.likeness.depends is (says == "depends")


def test_the_weights_that_are_made_random_are_those_before_the_target(small):
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    target = parse_target("filter:relu2_1:2", small.outline.labels, small.outline.layers)
    (found,) = explainer(small, "saliency", steps=0).explain(image, target, checked=True)
    assert abs(found.likeness.half) < 0.9  # all of the upper layers lie after the target


def test_random_weights_to_which_the_target_does_not_react_tell_nothing(small):
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    scores, random = (some(image, ["scores"])["scores"][0] for some in (small, randomized(small, 0.5)))
    (number, *_) = ((scores > 0) & (random == 0)).nonzero()[:, 0].tolist()  # behind the ReLU of the class scores
    made = explainer(small, "saliency", steps=0)
    (found,) = made.explain(image, made.target(f"class:{number}", image), checked=True)
    assert found.likeness.half != 0 != found.likeness.whole


def test_one_odd_network_with_random_weights_does_not_decide(small, monkeypatch):
    def odd_first(classifier, share, *, below, seed):
        return randomized(classifier, share, below=below, seed=seed) if seed == 0 else classifier

    monkeypatch.setattr(explanation, "randomized", odd_first)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    made, told = explainer(small, "saliency", steps=0), []
    (found,) = made.explain(image, made.target("top1", image), checked=True, told=told.append)
    assert found.likeness.half == pytest.approx(1)
    assert abs(found.likeness.whole) < 0.9
    assert told == [f"random weights: {number} of 4" for number in range(4)]


def test_a_full_card_is_told_and_not_taken_for_weights_that_cannot_be_changed(small, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(explanation, "randomized", full)
    image = torch.rand(1, 3, 64, 64)
    made = explainer(small, "saliency", steps=0)
    with pytest.raises(torch.OutOfMemoryError):
        list(made.explain(image, made.target("top1", image), checked=True))


def test_methods_that_do_not_fit_are_left_out_or_told(small):
    image = torch.rand(1, 3, 64, 64)
    outline = small.outline
    target = parse_target("filter:conv1_1:0", outline.labels, outline.layers)
    settings = Settings(map_layer(outline, target), pooled_layer(outline, target))
    methods = find_methods(["gradcam", "saliency"])
    tolerant = Explainer(small, methods, settings, steps=0, tolerant=True)
    assert [one.method.name for one in tolerant.explain(image, target)] == ["saliency"]
    assert "no layer before" in tolerant.left_out["gradcam"]
    with pytest.raises(genviz.UserError, match="no layer before"):
        list(Explainer(small, methods, settings, steps=0).explain(image, target))


def test_a_target_that_does_not_fire_is_told(small):
    image = torch.zeros(1, 3, 64, 64)
    scores = small(image, ["scores"])["scores"][0]
    dead = int((scores == 0).nonzero()[0])  # after the ReLU of the class scores
    made = explainer(small, "saliency", steps=2)
    (found,) = made.explain(image, made.target(f"class:{dead}", image), checked=True)
    assert found.likeness is None
    assert "by this method, no pixel makes the target fire" in found.verdict(None)


def test_another_measure_of_a_class_is_what_all_but_cam_explain(small):
    image = torch.rand(1, 3, 64, 64)
    names = ("saliency", "occlusion", "gradcam")
    target = explainer(small, "saliency").target("top1", image)
    made = {
        measure: {
            one.method.name: one.values
            for one in explainer(small, *names, steps=0, measure=measure).explain(image, target)
        }
        for measure in (None, "score", "probability", "log_probability")
    }
    for name in names:
        usual = "probability" if name == "occlusion" else "score"
        assert torch.equal(made[None][name], made[usual][name])
        assert not torch.allclose(made["score"][name], made["log_probability"][name])
    (cam,) = find_methods(["cam"])
    assert explainer(small, "cam", measure="log_probability")._score(cam, small, target, image).measure == "score"
    with pytest.raises(genviz.UserError, match="only classes have a probability"):
        list(
            explainer(small, "saliency", measure="probability").explain(
                image, parse_target("filter:relu3_1:2", small.outline.labels, small.outline.layers)
            )
        )
