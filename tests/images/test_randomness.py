import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from genviz.images.randomness import Streams


def test_an_image_draws_the_same_whatever_shares_its_batch():
    together, alone = Streams([3, 7, 11]), Streams([7])
    for draw in (lambda s: s.normal(5, 2), lambda s: s.uniform(-1, 2, 4), lambda s: torch.tensor(s.whole(-3, 9, 6))):
        assert torch.equal(draw(together)[1:2], draw(alone))


def test_a_single_image_draws_from_torchs_own_stream():
    torch.manual_seed(5)
    drawn = Streams().normal(3, 2)
    torch.manual_seed(5)
    assert torch.equal(drawn[0], torch.randn(3, 2))


def test_what_alone_is_torchs_own_is_a_stream_in_a_batch():
    torch.manual_seed(7)
    alone = Streams()
    drawn = alone.normal(40), alone.uniform(0, 1, 3), alone.whole(0, 1000, 5)[0]
    together = Streams([3, 7])
    assert torch.equal(together.normal(40)[1:], drawn[0])
    assert torch.equal(together.uniform(0, 1, 3)[1:], drawn[1])
    assert together.whole(0, 1000, 5)[1] == drawn[2]


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


def test_whole_numbers_are_from_the_lowest_up_to_and_without_the_highest():
    drawn = torch.tensor(Streams([1, 2]).whole(-2, 4, 1000))
    assert drawn.shape == (2, 1000)
    assert all(sorted(set(row.tolist())) == [-2, -1, 0, 1, 2, 3] for row in drawn)


def test_a_stream_skips_what_a_data_loaders_iterator_draws():
    torch.manual_seed(7)
    alone = [Streams().normal(6)]
    iter(DataLoader(range(3), batch_size=None))
    alone.append(Streams().normal(6))
    together, behind = Streams([7, 8]), Streams([7])
    for stream in (together, behind):
        assert torch.equal(stream.normal(6)[:1], alone[0])
    together.skip()
    assert torch.equal(together.normal(6)[:1], alone[1])
    assert not torch.equal(behind.normal(6), alone[1])


def test_a_single_image_on_torchs_own_stream_skips_nothing():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    Streams().skip()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_state_of_more_images_is_refused():
    with pytest.raises(ValueError, match="2 random streams cannot continue those of 1"):
        Streams([1]).restore(Streams([1, 2]).state())


def test_what_each_makes_is_what_it_would_have_made_alone():
    def make():
        return torch.randn(3), torch.nn.Linear(2, 2).weight.detach()

    torch.manual_seed(99)
    before = torch.get_rng_state()
    streams = Streams([4, 5, 4])
    made = streams.each(make)
    assert torch.equal(torch.get_rng_state(), before)
    later = streams.normal(20)
    for number, seed in enumerate((4, 5, 4)):
        torch.manual_seed(seed)
        alone = make()
        assert all(torch.equal(own, other) for own, other in zip(made[number], alone, strict=True))
        assert torch.equal(later[number], torch.randn(20))
    torch.manual_seed(6)
    assert torch.equal(
        Streams().each(lambda: torch.randn(3))[0], torch.randn(3, generator=torch.Generator().manual_seed(6))
    )


def test_seeds_may_be_numpys():
    seeds = np.array([3, 5])
    assert torch.equal(Streams(seeds).normal(4), Streams([3, 5]).normal(4))
    assert torch.equal(Streams(list(seeds)).normal(4), Streams([3, 5]).normal(4))


def test_images_with_the_same_seed_draw_once_for_all_of_them(monkeypatch):
    drawn, made, draw = [], [], torch.randn
    monkeypatch.setattr(torch, "randn", lambda *given, **kept: drawn.append(1) or draw(*given, **kept))
    alike, mixed = Streams([7] * 64), Streams([7, 8, 7])
    assert alike.alike
    assert not mixed.alike
    wanted = Streams([7]).normal(5)
    drawn.clear()
    assert torch.equal(alike.normal(5), wanted.expand(64, 5))
    assert len(drawn) == 1
    assert torch.equal(mixed.normal(5)[::2], wanted.expand(2, 5))
    assert len(drawn) == 3
    alike.each(lambda: made.append(1))
    assert len(made) == 1


def test_streams_that_have_parted_are_restored_one_by_one():
    ahead, behind = Streams([7]), Streams([7])
    ahead.normal(4)
    streams = Streams([7, 7, 7])
    streams.restore([*ahead.state(), *behind.state(), *ahead.state()])
    drawn = streams.normal(4)
    assert torch.equal(drawn[::2], ahead.normal(4).expand(2, 4))
    assert torch.equal(drawn[1:2], behind.normal(4))
    assert len(streams.state()) == 3
