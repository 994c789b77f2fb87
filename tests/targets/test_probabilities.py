import pytest
import torch
from torch import nn

from genviz.classifiers.from_module import from_module
from genviz.targets.probabilities import ending_of, log_probabilities, probabilities


class Ends(nn.Module):
    def __init__(self, end):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.end = nn.Conv2d(3, 3, 3), end

    def forward(self, images):
        return self.end(self.conv(images).mean((2, 3)))


class Map(nn.Module):
    """A softmax at each position, and their mean."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, images):
        return nn.functional.adaptive_avg_pool2d(self.conv(images).softmax(1), 1).flatten(1)


def both(scores):
    chance = scores[:, :1].sigmoid()
    return torch.cat([chance, 1 - chance], 1)


@pytest.mark.parametrize(
    ("end", "ending"),
    [(nn.Identity(), ""), (nn.ReLU(), ""), (nn.Softmax(1), "softmax"),
     (lambda x: x.softmax(-1), "softmax"), (lambda x: x.exp() / x.exp().sum(1, keepdim=True), "softmax"),
     (both, "softmax"), (lambda x: (x.softmax(1) + (2 * x).softmax(1)) / 2, "softmax"),
     (nn.Sigmoid(), "sigmoid"), (lambda x: torch.sigmoid(x)[:, :2].clone(), "sigmoid"),
     (nn.LogSoftmax(1), "log_softmax"), (nn.LogSigmoid(), "log_sigmoid"), (lambda x: x - 10, ""), (nn.Tanh(), ""),
     (lambda x: x.softmax(1).detach(), "softmax"), (lambda x: 3 * x.softmax(1), "")],
)  # fmt: skip
def test_what_a_network_ends_in_is_known_however_it_is_computed(end, ending):
    with torch.no_grad():
        assert ending_of(from_module(Ends(end), input_size=8)) == ending


def test_a_mean_of_probabilities_is_one():
    assert ending_of(from_module(Map(), input_size=8)) == "softmax"


def test_looking_changes_no_random_number():
    classifier = from_module(Ends(nn.Softmax(1)), input_size=8)
    torch.manual_seed(3)
    wanted = torch.rand(3)
    torch.manual_seed(3)
    ending_of(classifier)
    assert torch.equal(torch.rand(3), wanted)


def test_probabilities_are_made_of_scores_once():
    scores = torch.tensor([[0.2, 0.5, 0.3]])
    for ending in ("softmax", "sigmoid"):
        assert torch.equal(probabilities(scores, ending), scores)
    torch.testing.assert_close(probabilities(scores.log(), "log_softmax"), scores)
    torch.testing.assert_close(probabilities(scores.log(), "log_sigmoid"), scores)
    torch.testing.assert_close(probabilities(scores), scores.softmax(1))
    torch.testing.assert_close(probabilities(scores[:, :1]), scores[:, :1].sigmoid())
    torch.testing.assert_close(probabilities(scores[:, :1], "sigmoid"), scores[:, :1])


@pytest.mark.parametrize("ending", ["", "softmax", "sigmoid", "log_softmax", "log_sigmoid"])
@pytest.mark.parametrize("classes", [1, 3])
def test_log_probabilities_are_their_logarithms(ending, classes):
    scores = torch.tensor([[0.2, 0.5, 0.3]])[:, :classes]
    scores = scores.log() if ending.startswith("log") else scores
    torch.testing.assert_close(log_probabilities(scores, ending), probabilities(scores, ending).log())


def test_log_probabilities_stay_finite():
    for scores in (torch.tensor([[0.0, 200.0]]), torch.tensor([[-200.0]])):
        assert log_probabilities(scores).min().item() == pytest.approx(-200)
    assert log_probabilities(torch.tensor([[0.0, 1.0]]), "softmax").isfinite().all()
