import json

import pytest
import torch
from torch import nn

import genviz
from genviz.adversarial.examples.attacker import Attacker, Plan
from genviz.adversarial.examples.methods import Steps
from genviz.adversarial.examples.outcomes import Outcome, Said, Seen, outcome, see, succeeds, summary
from genviz.errors import UserError
from genviz.targets.grammar import parse_target


@pytest.fixture(scope="module")
def small():
    return genviz.load_classifier("small", input_size=64)


def target(small, text):
    return parse_target(text, small.outline.labels, small.outline.layers)


def test_what_a_network_sees(small):
    images = torch.rand(3, 3, 64, 64)
    zebra = target(small, "class:zebra")
    seen = see(small, images, [zebra] * 3)
    scores = small(images, ["scores"])["scores"]
    for row, own in zip(scores, seen, strict=True):
        assert own.top[0].number == int(row.argmax())
        assert own.top[0].probability == pytest.approx(float(row.softmax(0).max()))
        assert own.activation == pytest.approx(float(row[340]), rel=1e-4)
        assert len(own.top) == 5
    assert see(small, images, None)[0].top == seen[0].top


@pytest.mark.parametrize(
    ("text", "says", "result"),
    [("class:340", 340, True), ("class:340", 5, False), ("class:340@-1", 340, False), ("class:340@-1", 5, True),
     ("class:340@0.5+class:7@0.5", 7, True), ("class:340+class:7@-1", 7, False), ("filter:relu3_1:2@-1", 5, None)],
)  # fmt: skip
def test_success_is_what_the_attack_is_for(small, text, says, result):
    assert succeeds(target(small, text), seen("x", says)) is result


@pytest.mark.parametrize(
    ("text", "result"),
    [("class:340", True), ("class:5", False), ("class:7", True), ("class:7@-1", False), ("class:5@-1", True)],
)
def test_classes_that_do_not_compete_are_each_seen_or_not(small, text, result):
    both = seen("zebra", 340)._replace(independent=True)
    both.chances[7] = 0.6
    assert succeeds(target(small, text), both) is result


def test_what_has_nothing_to_change_to_is_refused_before_it_is_attacked(small, tmp_path, monkeypatch):
    alone = genviz.from_module(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(32, 1)), input_size=4)
    away, steps = Plan(None, (0.1,), lambda _: Steps(1, 0.1), "linf", 1), {"accelerator": "cpu", "devices": 1}
    with pytest.raises(UserError, match="classifier: the network has a single class, and no picture has another"):
        Attacker(alone, None, away, tmp_path, steps)
    with pytest.raises(UserError, match="other: the network has a single class"):
        Attacker(small, alone, away, tmp_path, steps)
    silent = away._replace(target=parse_target("filter:0:1@-1", alone.outline.labels, alone.outline.layers))
    Attacker(alone, None, silent, tmp_path, steps)
    assert see(alone, torch.rand(1, 3, 4, 4), None)[0].top[0].number == 0
    monkeypatch.setattr(type(small), "independent", True)
    with pytest.raises(UserError, match="method=deepfool needs classes that compete"):
        Attacker(small, None, away._replace(is_smallest=True), tmp_path, steps)


def said(label, number=0):
    return (Said(label, number, 0.9), Said("rest", 1, 0.1))


def seen(label, number=0):
    chances = torch.zeros(1000)
    chances[number] = 0.9
    return Seen(said(label, number), chances, 2.0)


def test_it_is_measured_on_both_pictures(small):
    before = torch.full((3, 4, 4), 100 / 255)
    after = before.clone()
    after[0, 0, 0] += 8 / 255
    after[1, 2, 3] -= 6 / 255
    own = (seen("cat", 5), seen("zebra", 340))
    others = (seen("cat", 1), seen("zebra", 2))
    found = outcome(target(small, "class:zebra"), 0.04, (before, after), own, others, small.outline.labels)
    assert (found.success, found.levels, found.rank, found.transfers) == (True, 8, 1, True)
    assert found.length == pytest.approx(10 / 255, rel=1e-5)
    assert found.chances == pytest.approx((0.0, 0.9))
    assert Outcome.of_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert "cat 90.0% -> zebra 90.0%; at most 8/255, l2 0.0392; another network: cat -> zebra" in found.explanation()
    away = outcome(
        target(small, "class:5@-1"), 0.04, (before, after), own, (seen("a"), seen("a")), small.outline.labels
    )
    assert (away.success, away.transfers) == (True, False)
    both = seen("zebra", 7)._replace(independent=True, top=(Said("zebra", 7, 0.9), Said("cat", 1, 0.8)))
    both.chances[1] = 0.8  # a detector that sees the cat as before, though a zebra more clearly
    still = (seen("cat", 1)._replace(independent=True), both)
    away = target(small, "class:5@-1")
    assert outcome(away, 0.04, (before, after), own, still, small.outline.labels).transfers is False
    assert outcome(target(small, "class:zebra"), 0.04, (before, after), own, still, small.outline.labels).transfers
    layer = outcome(target(small, "layer:relu3_1@-1"), 0.04, (before, after), own, None, small.outline.labels)
    assert (layer.success, layer.rank, layer.chances, layer.other) == (None, None, None, None)
    assert "activation 2 -> 2" in layer.explanation()


def test_many_are_told_with_an_interval(small):
    before, own = torch.zeros(3, 2, 2), (seen("cat", 5), seen("zebra", 340))
    labels = small.outline.labels
    won = outcome(target(small, "class:zebra"), 0.1, (before, before), own, None, labels)
    lost = outcome(target(small, "class:tiger"), 0.1, (before, before), own, None, labels)
    lines = summary([won, won, lost], 4)
    assert lines[0] == "fooled      66.7% (20.8% to 93.9%) of 3"
    assert lines[1].startswith("left alone  4,")
    filters = outcome(target(small, "filter:relu3_1:2"), 0.1, (before, before), own, None, labels)
    assert summary([filters], 0)[0] == "rose        the target's activation in 0 of 1"
