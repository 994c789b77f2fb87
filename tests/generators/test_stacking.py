"""Several states in the same tensors."""

import torch

from genviz.generators.stacking import join, split


def states():
    return [
        {"weight": torch.full((2, 3), float(n)), "step": torch.tensor(7.0), "list": [torch.tensor([n])], "lr": 0.1}
        for n in range(3)
    ]


def test_tensors_are_concatenated_and_numbers_are_one_for_all():
    joined = join(states())
    assert joined["weight"].tolist() == [[n] * 3 for n in (0, 0, 1, 1, 2, 2)]
    assert joined["list"][0].tolist() == [0, 1, 2]
    assert joined["step"] == 7
    assert joined["step"].ndim == 0
    assert joined["lr"] == 0.1


def test_what_was_joined_comes_apart():
    for state, own in zip(states(), split(join(states()), 3), strict=True):
        assert list(own) == list(state)
        torch.testing.assert_close(own["weight"], state["weight"], rtol=0, atol=0)
        assert own["list"][0].tolist() == state["list"][0].tolist()
        assert (own["step"], own["lr"]) == (7, 0.1)


def test_a_part_has_memory_of_its_own():
    joined = join(states())
    first, *_ = split(joined, 3)
    joined["weight"].fill_(9)
    joined["step"].fill_(9)
    assert (first["weight"] == 0).all()
    assert first["step"] == 7
    assert first["weight"].untyped_storage().nbytes() == 6 * 4  # a checkpoint holds no other image's
