import numpy as np
import torch

from genviz.classifiers.stretched import Stretched


def test_as_the_papers_code_does_it():
    """0-255 minus the training set's means, divided by 255, then each picture from its minimum to its maximum."""
    pictures = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(np.float64)
    means = np.array([120.0, 110.0, 90.0])
    expected = (pictures - means) / 255
    expected = np.stack([(one - one.min()) / (one.max() - one.min()) for one in expected])
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    made = Stretched(mean=(means / 255).tolist())(images)
    np.testing.assert_allclose(made.permute(0, 2, 3, 1), expected, atol=1e-6)


def test_a_plain_picture_is_finite():
    made = Stretched(mean=(0.5, 0.5, 0.5))(torch.full((1, 3, 4, 4), 0.25))
    assert made.isfinite().all()
    assert not made.any()


def test_gradients_go_through():
    image = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Stretched(mean=(0.1, 0.2, 0.3)).double(), image)
