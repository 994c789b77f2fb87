import torch

from genviz.training.callbacks import rows
from genviz.training.callbacks.rows import Rows


def test_rows_stay_until_they_are_sent():
    kept = Rows()
    for update in range(1, 4):
        kept.add(update, torch.tensor([update, 2.0 * update]))
    assert kept.arrived(wait=True) == []
    kept.send()
    kept.send()  # of nothing
    assert kept.arrived(wait=False) == [(1, [1.0, 2.0]), (2, [2.0, 4.0]), (3, [3.0, 6.0])]
    assert kept.arrived(wait=True) == []


def test_what_has_not_arrived_is_given_later_and_in_order(monkeypatch):
    class Late:
        is_here = False

        def __init__(self, values):
            self._values = values

        def values(self):
            return self._values

    monkeypatch.setattr(rows, "Transfer", Late)
    kept = Rows()
    for update in (1, 2):
        kept.add(update, torch.tensor([float(update)]))
        kept.send()
        assert kept.arrived(wait=False) == []
    assert kept.arrived(wait=True) == [(1, [1.0]), (2, [2.0])]
