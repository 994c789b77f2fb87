import copy

import pytest
import torch
from torch import nn

from genviz.adversarial.examples.attack import attack, objective_of
from genviz.adversarial.examples.methods import METHODS, Steps
from genviz.classifiers.from_module import from_module
from genviz.errors import UserError
from genviz.generators.perturbation import Perturbation
from genviz.objectives.activation import Activation
from genviz.objectives.content import Content
from genviz.objectives.probability import LogProbability
from genviz.targets.grammar import parse_target

EPSILON = 8 / 255


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5)).eval()


@pytest.fixture(scope="module")
def classifier(network):
    made = from_module(copy.deepcopy(network), input_size=16, mean=[0, 0, 0], std=[1, 1, 1])
    return made.double()


@pytest.fixture(scope="module")
def pictures():
    torch.manual_seed(1)
    return (255 * torch.rand(6, 3, 16, 16, dtype=torch.double)).round() / 255


def target(classifier, text):
    return parse_target(text, classifier.outline.labels, classifier.outline.layers)


@pytest.fixture
def unrounded(monkeypatch):
    """What the attack ends in, before it is made fit for a PNG; and the start, if it is set."""
    monkeypatch.setattr(Perturbation, "written", lambda self: self.values.detach())

    def begin_at(start):
        begin = Perturbation.__init__

        def at_start(self, **settings):
            begin(self, **settings)
            with torch.no_grad():
                self.values.copy_(start)

        monkeypatch.setattr(Perturbation, "__init__", at_start)

    return begin_at


def ours(classifier, pictures, wanted, steps, norm="linf", epsilon=EPSILON):
    targets = [target(classifier, text) for text in wanted]
    reach = torch.full((len(pictures),), epsilon, dtype=torch.double)
    steps = [steps] * len(pictures)
    return attack(classifier, pictures, targets, reach, steps, norm=norm, seeds=range(len(pictures))).images


def theirs(network, pictures, labels, *, steps, size, sign=1.0, norm="linf", start=None, decay=None, epsilon=EPSILON):
    """The attacks as they are published, written out."""
    x, momentum = (pictures if start is None else start).clone(), 0.0
    for _ in range(steps):
        x.requires_grad_()
        loss = nn.functional.cross_entropy(network(x), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(sign * loss, x)
        if decay is not None:
            gradient = momentum = decay * momentum + gradient / gradient.abs().mean((1, 2, 3), keepdim=True)
        length = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        x = x.detach() + size * (gradient.sign() if norm == "linf" else gradient / length)
        away = x - pictures
        if norm == "linf":
            away = away.clamp(-epsilon, epsilon)
        else:
            away = away * (epsilon / away.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).clamp(max=1)
        x = (pictures + away).clamp(0, 1)
    return x


CASES = {
    "fgsm": (Steps(1, EPSILON), {"steps": 1, "size": EPSILON}),
    "bim": (Steps(10, 2 / 255), {"steps": 10, "size": 2 / 255}),
    "mi_fgsm": (Steps(10, 2 / 255, momentum=1.0), {"steps": 10, "size": 2 / 255, "decay": 1.0}),
    "l2": (Steps(10, 0.2), {"steps": 10, "size": 0.2, "norm": "l2", "epsilon": 1.0}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("targeted", [False, True])
def test_it_is_the_published_attack(network, classifier, pictures, unrounded, case, targeted):
    steps, settings = CASES[case]
    net = copy.deepcopy(network).double()
    labels = net(pictures).argmax(1)
    labels = (labels + 2) % 5 if targeted else labels
    wanted = [f"class:{int(label)}@{1 if targeted else -1}" for label in labels]
    shared = {name: settings[name] for name in ("norm", "epsilon") if name in settings}
    made = ours(classifier, pictures, wanted, steps, **shared)
    expected = theirs(net, pictures, labels, sign=-1.0 if targeted else 1.0, **settings)
    torch.testing.assert_close(made, expected, atol=1e-6, rtol=0)


def test_from_the_same_random_start_too(network, classifier, pictures, unrounded):
    net = copy.deepcopy(network).double()
    labels = net(pictures).argmax(1)
    start = (pictures + torch.empty_like(pictures).uniform_(-EPSILON, EPSILON)).clamp(0, 1)
    unrounded(start)
    made = ours(classifier, pictures, [f"class:{int(n)}@-1" for n in labels], Steps(7, 2 / 255, random_start=True))
    torch.testing.assert_close(
        made, theirs(net, pictures, labels, steps=7, size=2 / 255, start=start), atol=1e-6, rtol=0
    )


def test_it_is_torchattacks(network, classifier, pictures, unrounded):
    torchattacks = pytest.importorskip("torchattacks")
    net = copy.deepcopy(network).double()
    labels = net(pictures).argmax(1)
    away = [f"class:{int(n)}@-1" for n in labels]
    for steps, norm, epsilon, attack_of in (
        (Steps(1, EPSILON), "linf", EPSILON, torchattacks.FGSM(net, eps=EPSILON)),
        (Steps(10, 2 / 255), "linf", EPSILON, torchattacks.BIM(net, eps=EPSILON, alpha=2 / 255, steps=10)),
        (Steps(10, 2 / 255), "linf", EPSILON, torchattacks.PGD(net, EPSILON, 2 / 255, 10, random_start=False)),
        (Steps(10, 2 / 255, momentum=1.0), "linf", EPSILON, torchattacks.MIFGSM(net, EPSILON, 2 / 255, 10, 1.0)),
        (Steps(10, 0.2), "l2", 1.0, torchattacks.PGDL2(net, 1.0, 0.2, 10, random_start=False)),
    ):
        made = ours(classifier, pictures, away, steps, norm, epsilon)
        torch.testing.assert_close(made, attack_of(pictures, labels), atol=1e-6, rtol=0)


def test_a_picture_of_a_batch_is_the_one_alone(classifier, pictures):
    steps = METHODS["pgd"].steps(EPSILON, 5, None)
    wanted = [f"class:{number % 5}@-1" for number in range(6)]
    together = ours(classifier, pictures, wanted, steps)
    reach = torch.tensor([EPSILON], dtype=torch.double)
    alone = attack(
        classifier, pictures[3:4], [target(classifier, wanted[3])], reach, [steps], norm="linf", seeds=[3]
    ).images
    assert torch.equal(together[3:4], alone)


def test_each_picture_has_its_steps(classifier, pictures, unrounded):
    targets = [target(classifier, "class:1@-1")] * 2
    made = attack(
        classifier,
        pictures[:1].repeat(2, 1, 1, 1),
        targets,
        torch.tensor([EPSILON, EPSILON / 4], dtype=torch.double),
        [Steps(1, EPSILON / 2), Steps(1, EPSILON / 8)],
        seeds=[0, 0],
    ).images
    away = (made - pictures[:1]).abs().flatten(1).amax(1)
    assert away.tolist() == pytest.approx([EPSILON / 2, EPSILON / 8])


def test_a_filter_is_silenced_and_a_layer_pushed_away(classifier, pictures):
    silenced = target(classifier, "filter:3:0+2@-1")
    before = classifier(pictures, ["3"])["3"][:, 0].mean((1, 2))
    steps = METHODS["pgd"].steps(EPSILON, 5, None)
    reach = torch.full((6,), EPSILON, dtype=torch.double)
    only = target(classifier, "filter:3:0@-1")
    after = classifier(attack(classifier, pictures, [only] * 6, reach, [steps] * 6, seeds=range(6)).images, ["3"])["3"]
    assert (after[:, 0].mean((1, 2)) < before).all()
    assert isinstance(objective_of([silenced], classifier.outline, pictures[:1]), Activation)
    far = target(classifier, "layer:1@-1")
    assert isinstance(objective_of([far], classifier.outline, pictures[:1]), Content)
    pushed = attack(classifier, pictures, [far] * 6, reach, [steps] * 6, seeds=range(6)).images
    noise = pictures + EPSILON * torch.randn_like(pictures).sign()
    own, pushed, noise = (classifier(some, ["1"])["1"].flatten(1) for some in (pictures, pushed, noise))
    assert ((pushed - own).norm(dim=1) > (noise - own).norm(dim=1)).all()


def test_what_an_attack_is_for_decides_its_objective(classifier, pictures):
    mixed = [target(classifier, "class:1@0.5+class:2@0.5")]
    assert isinstance(objective_of(mixed, classifier.outline, pictures[:1]), LogProbability)
    for text in ("layer:1", "layer:1@-1+filter:1:2"):
        with pytest.raises(UserError, match="a layer can only be pushed away"):
            objective_of([target(classifier, text)], classifier.outline, pictures[:1])


def test_a_flat_gradient_is_noticed(pictures):
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 3, bias=False), nn.ReLU())
    nn.init.uniform_(network[1].weight, 0.1, 1)
    flat = from_module(network, input_size=16, mean=[0, 0, 0], std=[1, 1, 1]).double()
    some = torch.cat([torch.zeros_like(pictures[:1]), pictures[:1]])  # of the first, every unit is dead
    away = [target(flat, "class:0@-1")] * 2
    made = attack(flat, some, away, torch.tensor([EPSILON] * 2), [Steps(2, 0.01)] * 2, seeds=[0, 1])
    assert made.flat.tolist() == [True, False]
