import torch

from genviz.learning.distillation.mixing import mixed, mixed_lessons


def test_mixtures_are_of_a_picture_and_its_neighbour():
    torch.manual_seed(3)
    flat = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 20, 20).contiguous() / 4
    kinds = set()
    for _ in range(40):
        result = mixed(flat, 0.9)
        assert result.shape == flat.shape
        others = flat.roll(1, 0)
        if torch.equal(result, flat):
            kinds.add("as it was")
        elif ((result == flat) | (result == others)).all():
            kinds.add("cutmix")
            assert (result == flat).float().mean() >= 0.5
        else:
            kinds.add("mixup")
            weight = (result - others) / (flat - others)
            assert ((weight >= 0.5 - 1e-5) & (weight <= 1 + 1e-5)).all()
    assert kinds == {"as it was", "cutmix", "mixup"}
    assert torch.equal(mixed(flat, 0.0), flat)


def test_features_and_answers_are_mixed_alike_and_each_stays_the_larger_part():
    torch.manual_seed(0)
    answers = torch.eye(50)
    features = answers.view(50, 50, 1, 1).expand(-1, -1, 2, 2)
    maps, mixture = mixed_lessons(features, answers, 0.5)
    torch.testing.assert_close(maps, mixture.view(50, 50, 1, 1).expand(-1, -1, 2, 2))
    torch.testing.assert_close(mixture.sum(1), torch.ones(50))
    own = mixture.diagonal()
    assert (own >= 0.5).all()
    assert 0.3 < (own < 1).float().mean() < 0.7


def test_without_a_share_nothing_is_mixed():
    features, answers = torch.rand(4, 3, 2, 2), torch.rand(4, 5)
    assert mixed_lessons(features, answers, 0.0) == (features, answers)
