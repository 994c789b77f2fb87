import math

import pytest
import torch

from genviz.representations.gate import Gate


def sorted_(assignment, across, down, orientations=18):
    gradient = torch.tensor([across, down], dtype=torch.float32).view(1, 2, 1, 1)
    return Gate(orientations, assignment)(gradient)[0, :, 0, 0]


@pytest.mark.parametrize(
    ("degrees", "bin_"), [(0, 0), (9, 0), (11, 1), (171, 9), (-9, 0), (-11, 17), (180, 9), (90, 4), (-90, 13)]
)
def test_a_hard_gate_passes_the_whole_norm_to_the_nearest(degrees, bin_):
    """Of 80 and 100 degrees, a vertical gradient's is the first, and of 260 and 280: VLFeat's choice."""
    across = 0.0 if abs(degrees) == 90 else 5 * math.cos(math.radians(degrees))
    found = sorted_("hard", across, 5 * math.sin(math.radians(degrees)))
    assert found[bin_].item() == pytest.approx(5)
    assert found.count_nonzero() == 1


def test_a_bilinear_gate_shares_by_angle():
    found = sorted_("bilinear", 2 * math.cos(math.radians(-5)), 2 * math.sin(math.radians(-5)))
    assert found[0].item() == pytest.approx(2 * 0.75, abs=1e-5)
    assert found[17].item() == pytest.approx(2 * 0.25, abs=1e-5)
    assert found.sum().item() == pytest.approx(2)


def test_the_cubic_angle_is_less_than_a_degree_off():
    angles = torch.linspace(-3.14, 3.14, 721)
    gradient = torch.stack([angles.cos(), angles.sin()]).view(1, 2, 1, -1)
    exact, cubic = (Gate(8, assignment)(gradient) for assignment in ("bilinear", "cubic"))
    assert 0 < (exact - cubic).abs().max() < 1 / 45


def test_what_has_no_gradient_has_no_orientation():
    assert not sorted_("bilinear", 0.0, 0.0).any()
