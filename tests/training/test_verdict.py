import pytest
import torch
from torch import nn

from genviz.classifiers.from_module import from_module
from genviz.images.pictures import read_image, write_png
from genviz.objectives.activation import Activation
from genviz.objectives.content import Content
from genviz.objectives.inversion import Inversion
from genviz.objectives.sum import Sum
from genviz.targets.grammar import parse_target
from genviz.targets.units import Targets
from genviz.training.verdict import judge, judge_images


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


def test_a_unit_that_a_relu_keeps_at_0_is_dead(classifier, noise):
    with torch.no_grad():
        classifier.conv.bias[2] = -100.0
    verdict = judge(noise, classifier, target(classifier, "filter:relu1:2"))
    assert verdict.verdict == "dead"
    assert "objective.activation.warm_up" in verdict.explanation
    with torch.no_grad():
        classifier.conv.bias.fill_(-100.0)  # all of them
    assert judge(noise, classifier, target(classifier, "filter:relu1:2")).verdict == "dead"
    below = judge(noise, classifier, target(classifier, "filter:conv1:2"))
    assert below.verdict != "dead"
    assert below.activation < -90


@pytest.mark.parametrize(
    ("fired", "says"), [(0, "at all, and never did"), (37, "and has not since update 37"), (None, "at all; try")]
)
def test_a_dead_unit_tells_since_when(classifier, noise, fired, says):
    with torch.no_grad():
        classifier.conv.bias[2] = -100.0
    targets = Targets([target(classifier, text) for text in ("class:tench", "filter:relu1:2")])
    images = torch.cat([read_image(noise)] * 2)
    first, verdict = judge_images(images, classifier, targets, failures=[None, None], fired=[5, fired])
    assert verdict.verdict == "dead"
    assert says in verdict.explanation
    assert "since" not in first.explanation


@pytest.mark.parametrize(("order", "word"), [((1, 0), "recognised"), ((0, 1), "top five"), ((0, 2, 3, 4, 5, 1), "not")])
def test_scores_below_0_are_ranked_like_any(classifier, noise, order, word):
    aim(classifier, *order)
    with torch.no_grad():
        classifier.head.bias -= 30
    verdict = judge(noise, classifier, target(classifier, "class:harmonica"))
    assert verdict.verdict.startswith(word)
    assert ("objective.activation.warm_up" in verdict.explanation) is (word == "not")


@pytest.mark.parametrize("dead", [(1,), (0, 1, 2)])
def test_a_relu_that_is_a_function_shows_by_its_zeros(noise, dead):
    scores = [-1.0 if number in dead else 3.0 for number in range(3)]
    classifier = from_module(Scores(scores, torch.relu), input_size=12)
    assert judge(noise, classifier, target(classifier, "class:1")).verdict == "dead"


class Scores(nn.Module):
    """Scores that do not depend on the picture, through an activation."""

    def __init__(self, scores, end=None):
        super().__init__()
        self.mean, self.scores = nn.AdaptiveAvgPool2d(1), nn.Parameter(torch.tensor(scores))
        self.end = end or nn.Identity()

    def forward(self, images):
        return self.end(self.mean(images).flatten(1).mean(1, keepdim=True) * 0 + self.scores)


@pytest.mark.parametrize("end", [nn.Softmax(1), nn.LogSoftmax(1), None, lambda scores: scores - 50])
def test_probabilities_are_the_same_wherever_the_softmax_is_and_none_is_dead(noise, end):
    classifier = from_module(Scores([3.0, 1.0, -2.0], end), input_size=12, labels=["a", "b", "c"])
    verdict = judge(noise, classifier, target(classifier, "class:a"))
    expected = torch.tensor([3.0, 1.0, -2.0]).softmax(0).tolist()
    assert [score.probability for score in verdict.top_classes] == pytest.approx(expected, abs=1e-5)
    assert verdict.verdict == "recognised"
    assert ("ends in a softmax: its scores are probabilities" in verdict.explanation) is isinstance(end, nn.Softmax)
    assert judge(noise, classifier, target(classifier, "class:a+b")).verdict == "top five"
    last = judge(noise, classifier, target(classifier, "class:c"))
    assert (last.verdict, last.rank) == ("not reached", 3)


@pytest.mark.parametrize("end", [None, nn.Sigmoid(), nn.LogSigmoid()])
@pytest.mark.parametrize("score", [2.0, -2.0])
def test_one_score_is_judged_by_its_sign_and_probability(noise, end, score):
    classifier = from_module(Scores([score], end), input_size=12, labels=["cat"])
    itself, other = (judge(noise, classifier, target(classifier, text)) for text in ("class:cat", "class:cat@-1"))
    words = ("recognised", "not reached")
    assert (itself.verdict, other.verdict) == (words if score > 0 else words[::-1])
    chance = torch.tensor(score).sigmoid().item()
    assert itself.top_classes[0].probability == pytest.approx(chance)
    assert f"probability of {chance:.1%}" in itself.explanation
    assert "rank" not in itself.explanation
    assert "rank" not in other.explanation


def test_what_should_be_silent_is_reached_by_the_weakest(classifier, noise):
    aim(classifier, 1, 0)
    reached = judge(noise, classifier, target(classifier, "class:lesser-panda@-1"))
    assert (reached.verdict, reached.rank) == ("recognised", 1)
    assert "rank 1 of 6 from the weakest" in reached.explanation
    strongest = judge(noise, classifier, target(classifier, "class:harmonica@-1"))
    assert (strongest.verdict, strongest.rank) == ("not reached", 6)
    with torch.no_grad():
        classifier.conv.bias.fill_(-100.0)
    assert judge(noise, classifier, target(classifier, "filter:relu1:2@-1")).verdict == "recognised"  # silent, as all


@pytest.mark.parametrize("failure", [None, "the loss became nan at update 1"])
def test_weights_that_are_not_finite_are_named_as_the_fault(classifier, noise, failure):
    with torch.no_grad():
        classifier.head.weight[3, 1] = float("nan")
    broken = judge(noise, classifier, target(classifier, "class:3"), failure=failure)
    assert broken.verdict == "diverged"
    assert "weights that are not finite (head.weight)" in broken.explanation
    assert "optimizer.lr" not in broken.explanation
    assert broken.rank == 6


def test_a_network_that_divides_by_0_is_not_told_to_learn_slower(noise):
    broken = []
    network = Scores([1.0, 2.0], lambda scores: scores / (scores - scores) if broken else scores)
    classifier = from_module(network, input_size=12)
    broken.append(True)
    verdict = judge(noise, classifier, target(classifier, "class:0"))
    assert verdict.verdict == "diverged"
    assert "divide by 0" in verdict.explanation
    assert "optimizer.lr" not in verdict.explanation


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


@pytest.mark.parametrize("objective", [None, "activation"])
def test_what_is_alone_in_its_layer_has_no_rank(classifier, noise, objective):
    wanted = target(classifier, "layer:conv1")
    objective = objective and Activation(wanted, classifier.outline)
    alone = judge(noise, classifier, wanted, objective)
    assert (alone.verdict, alone.explanation) == ("done", f"activation {alone.activation:.4g}")
    first = torch.zeros(1, 3, 12, 12)
    before = classifier(first, ["conv1"])["conv1"].mean().item()
    better = judge(noise, classifier, wanted, objective, first=first)
    assert better.verdict == ("improved" if alone.activation > before else "not improved")
    assert f"(at first {before:.4g})" in better.explanation
    assert judge(noise, classifier, target(classifier, "layer:conv1+class:1")).verdict not in ("done", "improved")


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
