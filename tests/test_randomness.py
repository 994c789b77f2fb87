import torch

from genviz.randomness import Streams


def test_an_image_draws_the_same_whatever_shares_its_batch():
    together, alone = Streams([3, 7, 11]), Streams([7])
    for draw in (lambda s: s.normal(5, 2), lambda s: s.uniform(-1, 2, 4)):
        assert torch.equal(draw(together)[1:2], draw(alone))


def test_a_single_image_draws_from_torchs_own_stream():
    torch.manual_seed(5)
    drawn = Streams().normal(3, 2)
    torch.manual_seed(5)
    assert torch.equal(drawn[0], torch.randn(3, 2))


def test_what_alone_is_torchs_own_is_a_stream_in_a_batch():
    torch.manual_seed(7)
    alone = Streams()
    drawn = alone.normal(40), alone.uniform(0, 1, 3)
    together = Streams([3, 7])
    assert torch.equal(together.normal(40)[1:], drawn[0])
    assert torch.equal(together.uniform(0, 1, 3)[1:], drawn[1])


def test_it_goes_on_from_where_it_was_saved():
    streams = Streams([1, 2])
    streams.normal(3)
    state = streams.state()
    wanted = streams.normal(3)
    other = Streams([8, 9])
    other.restore(state)
    assert torch.equal(other.normal(3), wanted)
    assert Streams().state() == []


def test_uniform_is_in_its_range():
    drawn = Streams([1, 2]).uniform(-2, 3, 1000)
    assert drawn.shape == (2, 1000)
    assert -2 <= drawn.min() < -1.9
    assert 2.9 < drawn.max() <= 3
