import pytest
import torch

from genviz.images.pictures import read_image, write_png
from genviz.objectives.activation import Activation
from genviz.objectives.content import Content
from genviz.objectives.inversion import Inversion
from genviz.objectives.sum import Sum
from genviz.targets.grammar import parse_target
from genviz.training.verdict import judge


def picture(path, image):
    write_png(path, (image * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous())
    return path


@pytest.fixture
def noise(tmp_path):
    torch.manual_seed(0)
    return picture(tmp_path / "noise.png", 0.3 + 0.4 * torch.rand(3, 12, 12))


def target(classifier, text):
    return parse_target(text, classifier.outline.labels, classifier.outline.layers)


def test_everything_is_measured_on_the_file(classifier, tmp_path):
    torch.manual_seed(0)
    image = torch.rand(3, 12, 12)
    path = picture(tmp_path / "p.png", image)
    verdict = judge(path, classifier, target(classifier, "class:harmonica"))
    rounded = ((image * 255).round() / 255)[None]
    scores = classifier(rounded, ["scores"])["scores"][0]
    assert verdict.activation == pytest.approx(scores[1].item(), abs=1e-6)
    assert verdict.rank == 1 + (scores > scores[1]).sum().item()
    assert [c.label for c in verdict.top_classes] == [classifier.outline.labels[i] for i in scores.topk(5).indices]
    assert [c.probability for c in verdict.top_classes] == pytest.approx(scores.softmax(0).topk(5).values.tolist())
    assert verdict.as_dict()["units"][0]["unit"] == "class:harmonica"


def aim(classifier, *classes, low=-5.0):
    """Make these classes the strongest, in their order, whatever the picture."""
    with torch.no_grad():
        classifier.head.weight.zero_()
        classifier.head.bias.fill_(low)
        for place, number in enumerate(classes):
            classifier.head.bias[number] = 10.0 - place


@pytest.mark.parametrize(
    ("order", "word"), [((1,), "recognised"), ((0, 1), "top five"), ((0, 2, 3, 4, 5, 1), "not reached")]
)
def test_the_place_decides(classifier, noise, order, word):
    aim(classifier, *order)
    verdict = judge(noise, classifier, target(classifier, "class:harmonica"))
    assert (verdict.verdict, verdict.rank) == (word, order.index(1) + 1)
    assert "try" in verdict.explanation or word != "not reached"


def test_a_dead_target(classifier, noise):
    aim(classifier, 0)
    verdict = judge(noise, classifier, target(classifier, "class:harmonica"))
    assert verdict.verdict == "dead"
    assert "objective.activation.warm_up" in verdict.explanation


def test_a_mixture_is_as_good_as_its_worst(classifier, noise):
    aim(classifier, 1, 0)
    mixture = judge(noise, classifier, target(classifier, "class:harmonica+tench"))
    assert (mixture.verdict, mixture.rank) == ("top five", 2)
    assert mixture.activation == pytest.approx(19.0)


def test_a_flat_and_a_saturated_picture(classifier, tmp_path):
    aim(classifier, 1)
    wanted = target(classifier, "class:harmonica")
    assert judge(picture(tmp_path / "f.png", torch.full((3, 12, 12), 0.5)), classifier, wanted).verdict == "flat"
    extremes = torch.rand(3, 12, 12).round()
    assert judge(picture(tmp_path / "s.png", extremes), classifier, wanted).verdict == "saturated"


def test_a_training_that_broke_off_says_why(classifier, noise):
    verdict = judge(noise, classifier, target(classifier, "class:harmonica"), failure="the loss became nan at update 7")
    assert verdict.verdict == "diverged"
    assert "nan at update 7" in verdict.explanation


def test_filters_and_layers_are_ranked_in_their_layer(classifier, noise):
    verdict = judge(noise, classifier, target(classifier, "filter:relu1:2"))
    assert verdict.units[0].of == 4
    assert judge(noise, classifier, target(classifier, "layer:relu1")).units[0].of == 1


WANTED = 0.3 + 0.4 * torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def inverting(classifier, layer="conv1"):
    objective = Sum({"inversion": Inversion(target(classifier, f"layer:{layer}"), image=WANTED, weight=5.0)})
    objective.remember(classifier, (12, 12))
    return objective


def near(path, share):
    """The picture that is wanted, with a share of another in it."""
    return picture(path, ((1 - share) * WANTED + share * WANTED.flip(2).flip(3))[0])


@pytest.mark.parametrize(
    ("share", "first", "word"),
    [(0.1, 0.5, "improved"), (0.5, 0.1, "not improved"), (0.3, 0.3, "not improved"), (0.1, None, "done")],
)
def test_a_picture_of_an_objective_without_places_is_better_or_not_than_what_it_began_with(
    classifier, tmp_path, share, first, word
):
    def error(path):
        got, wanted = (classifier(x, ["conv1"])["conv1"] for x in (read_image(path), WANTED))
        return ((got - wanted).square().sum().sqrt() / wanted.square().sum().sqrt()).item()

    path = near(tmp_path / "p.png", share)
    begun = None if first is None else near(tmp_path / "f.png", first)
    before = None if begun is None else read_image(begun)
    verdict = judge(path, classifier, target(classifier, "layer:conv1"), inverting(classifier), first=before)
    assert verdict.verdict == word
    assert verdict.measures == {"normalized error": pytest.approx(error(path), rel=1e-4)}
    assert f"normalized error {error(path):.4g}" in verdict.explanation
    assert begun is None or f"(at first {error(begun):.4g})" in verdict.explanation
    assert ("try" in verdict.explanation) is (word == "not improved")
    assert verdict.as_dict()["measures"] == verdict.measures


@pytest.mark.parametrize("layer", ["conv1", "relu1"])
def test_what_shows_nothing_is_no_progress(classifier, tmp_path, layer):
    """Whether the mean of what the layer computes is above 0 or, as that of this convolution, below."""
    settings = {"first": 1 - WANTED}
    for name, image, word in (
        ("flat", torch.full((3, 12, 12), 0.5), "flat"), ("black", torch.zeros(3, 12, 12), "flat"),
        ("ends", torch.rand(3, 12, 12).round(), "saturated"),
    ):  # fmt: skip
        path = picture(tmp_path / f"{name}.png", image)
        verdict = judge(path, classifier, target(classifier, f"layer:{layer}"), inverting(classifier), **settings)
        assert verdict.verdict == word


def test_a_broken_off_inversion_is_diverged(classifier, tmp_path):
    path = near(tmp_path / "p.png", 0.1)
    wanted = target(classifier, "layer:conv1")
    verdict = judge(path, classifier, wanted, inverting(classifier), first=1 - WANTED, failure="the loss became nan")
    assert verdict.verdict == "diverged"


def test_with_a_part_that_ranks_the_place_decides(classifier, noise):
    aim(classifier, 1)
    wanted = target(classifier, "class:harmonica")
    content = Content(wanted, classifier.outline, image=WANTED, at="layer:relu1")
    objective = Sum({"activation": Activation(wanted, classifier.outline), "content": content})
    objective.remember(classifier, (12, 12))
    verdict = judge(noise, classifier, wanted, objective, first=1 - WANTED)
    assert (verdict.verdict, verdict.rank) == ("recognised", 1)
    assert list(verdict.measures) == ["activation, score", "content, content loss"]
