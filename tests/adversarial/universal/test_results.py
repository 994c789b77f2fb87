import torch

from genviz.adversarial.universal.halves import Half
from genviz.adversarial.universal.results import Judged, dominant, shuffled, table


def test_the_dominant_classes_are_those_of_the_fooled():
    before, after = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([2, 2, 2, 1, 2])
    judged = Judged(before, torch.ones(5), after, torch.ones(5))
    found = dominant(judged, ("a", "b", "c"))
    assert [(each["label"], each["pictures"], each["share"]) for each in found] == [("c", 3, 0.75), ("b", 1, 0.25)]


def test_shuffled_is_the_same_values_elsewhere():
    steps = torch.arange(48).view(3, 4, 4) - 24
    other = shuffled(steps, 0)
    assert not torch.equal(other, steps)
    assert torch.equal(other.flatten().sort().values, steps.flatten())
    assert torch.equal(other, shuffled(steps, 0))


def test_a_name_need_not_be_utf8():
    judged = {"a": Judged(*(torch.zeros(1, dtype=torch.long), torch.ones(1)) * 2)}
    told = table(Half(["caf\udce9.png"], torch.zeros(1, 3, 8, 8)), judged, {"a": ["first"]})
    assert told.encode().splitlines()[1].startswith(b"caf\\udce9.png,first")
