import torch

from genviz.training.transfer import Transfer


def test_what_is_on_the_host_is_there_at_once():
    values = torch.arange(4.0, requires_grad=True)
    transfer = Transfer(values)
    assert transfer.is_here
    assert torch.equal(transfer.values(), torch.arange(4.0))
    assert not transfer.values().requires_grad
