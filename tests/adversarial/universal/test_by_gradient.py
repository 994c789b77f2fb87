import linear_network
import pytest
import torch

from genviz.adversarial.universal.by_gradient import Added, Away
from genviz.interfaces import SCORES


def pictures(count):
    drawn = torch.randint(0, 256, (count, 3, 4, 4), generator=torch.Generator().manual_seed(0))
    return drawn.to(torch.uint8)


def test_each_picture_comes_once_before_any_comes_again():
    added = Added(pictures(10), torch.arange(10), at_once=4, seed=0)
    rows = torch.cat([added.rows(update) for update in range(5)])
    assert sorted(rows[:10].tolist()) == sorted(rows[10:].tolist()) == list(range(10))
    assert rows[:10].tolist() != rows[10:].tolist()
    assert added.rows(3).tolist() == rows[12:16].tolist()  # whatever came before
    assert Added(pictures(10), torch.arange(10), at_once=4, seed=1).rows(0).tolist() != rows[:4].tolist()
    assert len(Added(pictures(3), torch.arange(3), at_once=8, seed=0).rows(0)) == 8


def test_the_perturbation_is_added_and_the_sum_clipped():
    added = Added(pictures(5), torch.arange(5), at_once=3, seed=0)
    added.update = 0
    perturbation = torch.empty(1, 3, 4, 4).uniform_(-0.1, 0.1).requires_grad_()
    views = added(0.5 + perturbation)
    rows = added.rows(0)
    torch.testing.assert_close(views, (pictures(5)[rows].float() / 255 + perturbation).clamp(0, 1))
    assert added.drawn.tolist() == rows.tolist()
    views.sum().backward()
    assert perturbation.grad.max() == 3


def test_every_second_time_a_picture_is_mirrored():
    added = Added(pictures(3), torch.arange(3), at_once=2, seed=0)
    grey, seen = torch.full((1, 3, 4, 4), 0.5), {number: [] for number in range(3)}
    for update in range(6):  # four times each
        added.update = update
        for view, label in zip((255 * added(grey)).round().byte(), added.drawn.tolist(), strict=True):
            seen[label].append(torch.equal(view, pictures(3)[label].flip(2)))
            assert torch.equal(view, pictures(3)[label].flip(2) if seen[label][-1] else pictures(3)[label])
    assert list(seen.values()) == [[False, True, False, True]] * 3


def test_it_counts_until_a_picture_is_fooled_well_enough(classifier):
    labels = torch.tensor([0, 2])
    added = Added(pictures(2), labels, at_once=2, seed=0)
    objective = Away(added, enough=3.0)
    objective.remember(classifier, (12, 12))
    added(torch.full((1, 3, 4, 4), 0.5))
    scores = torch.zeros(2, 3)
    scores[0, added.drawn[0]] = -9.0  # fooled well
    found = objective({SCORES: scores})
    assert found.tolist() == pytest.approx([3.0, torch.tensor(3.0).log().item()])
    assert objective({SCORES: scores.repeat_interleave(4, 0)}).tolist() == found.repeat_interleave(4).tolist()  # views


def test_a_linear_network_has_no_better_one_than_the_sign():
    """What is left of the loss after many updates is that of the signs of the weights' difference."""
    from genviz.generators.perturbation_for_all import PerturbationForAll

    network = linear_network.network(classes=2)
    images = pictures(2).repeat(1, 1, 2, 2)
    images[:] = 128
    added = Added(images, torch.zeros(2, dtype=torch.long), at_once=2, seed=0)
    objective, generator = Away(added), PerturbationForAll(size=(8, 8), xi=0.02)
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.01)
    for update in range(20):
        added.update = update
        optimizer.zero_grad()
        (-objective({SCORES: network(added(generator().images))})).sum().backward()
        optimizer.step()
        generator.constrain()
    way = (network[1].weight[1] - network[1].weight[0]).sign().view(3, 8, 8)
    torch.testing.assert_close(generator.values.detach()[0], 0.02 * way)
