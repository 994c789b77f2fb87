import pytest
import torch

from genviz.adversarial.universal.steps import added, amplified, read_steps, whole_steps, write_steps
from genviz.errors import UserError


@pytest.mark.parametrize("xi", [1 / 255, 10 / 255, 0.04, 127 / 255])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_rounding_never_makes_it_larger(xi, norm):
    torch.manual_seed(0)
    values = torch.empty(3, 20, 20).uniform_(-xi, xi)
    if norm == "l2":
        values *= xi / values.square().mean().sqrt()
    steps = whole_steps(values, xi, norm)
    size = steps.abs().max() if norm == "linf" else steps.double().square().mean().sqrt()
    assert size <= 255 * xi + 1e-9
    wanted = (255 * values).clamp(-127, 127)  # what a byte holds
    assert (steps - wanted).abs().max() <= (1 if norm == "l2" else 0.5 + 255 * xi % 1)


def test_ten_of_255_is_ten_steps():
    steps = whole_steps(torch.tensor([[[10 / 255, -10 / 255, 9.4 / 255, 9.6 / 255]]]), 10 / 255, "linf")
    assert steps.flatten().tolist() == [10, -10, 9, 10]
    assert whole_steps(torch.tensor([[[10.9 / 255]]]), 10.9 / 255, "linf").item() == 10


def test_the_file_is_exact(tmp_path):
    steps = torch.randint(-127, 128, (3, 5, 7)).to(torch.int16)
    write_steps(tmp_path / "v.png", steps, {"xi": "0.5"})
    assert torch.equal(read_steps(tmp_path / "v.png"), steps)


def test_added_is_clipped_and_nothing_else():
    images = torch.tensor([0, 5, 250, 255], dtype=torch.uint8).view(1, 1, 1, 4).expand(2, 3, 1, 4)
    assert added(images, torch.full((3, 1, 4), 10))[1, 2, 0].tolist() == [10, 15, 255, 255]
    assert added(images, torch.full((3, 1, 4), -10))[0, 0, 0].tolist() == [0, 0, 240, 245]


def test_it_is_shown_around_grey_as_strong_as_fits():
    shown = amplified(torch.tensor([0, 10, -10, 5], dtype=torch.int16).view(1, 1, 4).expand(3, 1, 4))
    assert shown[0, :, 1].tolist() == [128, 255, 1, 192]
    assert (amplified(torch.zeros(3, 2, 2, dtype=torch.int16)) == 128).all()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot read the perturbation"):
        read_steps(tmp_path / "v.png")


def test_a_value_past_what_a_byte_holds_keeps_its_sign(tmp_path):
    """The root mean square bounds all values together, and one may be larger."""
    steps = whole_steps(torch.tensor([0.6, -0.6, 0.1]).view(3, 1, 1), 0.45, "l2")
    write_steps(tmp_path / "v.png", steps, {})
    assert read_steps(tmp_path / "v.png").flatten().tolist() == [127, -127, 25]
