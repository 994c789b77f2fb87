import pytest
import torch

from genviz.images import write_png
from genviz.targets import parse_target
from genviz.verdict import judge


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
