import pytest
import torch

from genviz.interfaces import Sample
from genviz.regularizers.total_variation_beta import TotalVariationBeta


@pytest.mark.parametrize("beta", [1.0, 1.5, 2.0])
def test_it_is_the_papers_sum(beta):
    """Mahendran & Vedaldi 2016, section 3.2.2; the last row and column repeated, as in their code."""
    torch.manual_seed(0)
    images = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    got = TotalVariationBeta(beta=beta)(Sample(images, {}))
    for image, penalty in zip(255 * images, got, strict=True):
        total = 0.0
        for k in range(3):
            for v in range(4):
                for u in range(5):
                    across = float(image[k, v, min(u + 1, 4)] - image[k, v, u])
                    down = float(image[k, min(v + 1, 3), u] - image[k, v, u])
                    total += (across**2 + down**2) ** (beta / 2)
        torch.testing.assert_close(penalty.item(), total / (4 * 5 * (80 / 6.5) ** beta), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_a_flat_image_has_a_gradient_and_none_to_speak_of(beta):
    images = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    penalty = TotalVariationBeta(beta=beta)(Sample(images, {}))
    penalty.sum().backward()
    assert penalty.item() < 1e-3
    assert images.grad.isfinite().all()


def test_the_gradient_is_right():
    x = torch.rand(1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: TotalVariationBeta(beta=1.5)(Sample(x, {})), x)
