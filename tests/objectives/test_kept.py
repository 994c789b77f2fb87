import torch
from torch import nn

from genviz.objectives.kept import Kept


def test_tensors_are_kept_by_any_key_and_go_where_the_objective_goes():
    key = nn.ReLU()
    kept = Kept({"features.0": torch.ones(2), key: torch.zeros(3)})
    assert list(kept) == ["features.0", key]
    assert len(kept) == 2
    whole = nn.ModuleList([kept]).double()
    assert {tensor.dtype for _, tensor in kept.items()} == {torch.float64}
    assert kept[key].shape == (3,)
    assert not whole.state_dict()
