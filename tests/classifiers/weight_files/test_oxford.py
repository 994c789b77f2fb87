import pytest
import torch
from safetensors import safe_open
from torch.nn.functional import conv2d

from genviz.classifiers.input_space import OXFORD_MEAN
from genviz.classifiers.weight_files.oxford import FIRST_FILTERS, recognise


def first(name, dtype=torch.float32):
    """Sixty-four kernels, the first of them Oxford's."""
    own = torch.tensor(FIRST_FILTERS[name]).view(1, 3, 3, 3)
    return torch.cat([own, torch.rand(63, 3, 3, 3)]).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", FIRST_FILTERS)
def test_oxfords_are_caffes_and_turned_around_the_same_in_rgb(name, dtype):
    red = torch.tensor([1.0, 0.0, 0.5]).view(1, 3, 1, 1)
    blue_mean, green_mean, red_mean = OXFORD_MEAN
    bgr = [127.5 - blue_mean, 0 - green_mean, 255 - red_mean]
    assert recognise(first(name, dtype))(red).flatten().tolist() == pytest.approx(bgr)
    assert recognise(first(name, dtype).flip(1))(red).flatten().tolist() == pytest.approx(bgr[::-1])


def test_a_picture_looks_the_same_to_both_orders():
    kernels, images = first("vgg16"), torch.rand(2, 3, 8, 8)
    as_it_is = conv2d(recognise(kernels)(images), kernels)
    turned = conv2d(recognise(kernels.flip(1))(images), kernels.flip(1))
    torch.testing.assert_close(as_it_is, turned, rtol=1e-4, atol=1e-2)


def test_any_other_is_not_recognised():
    near = first("vgg16")
    near[0, 1, 1, 1] += 0.01
    for kernels in (near, torch.rand(64, 3, 3, 3), torch.rand(64, 3, 7, 7), torch.rand(64), torch.rand(0, 3, 3, 3)):
        assert recognise(kernels) is None


@pytest.mark.real
def test_the_published_file_is_recognised(data):
    path = data / "vgg16_conv_caffe.safetensors"
    if not path.exists():
        pytest.skip("it is not among the real weights here")
    with safe_open(path, framework="pt") as file:
        assert recognise(file.get_tensor("features.0.weight")).channels == "BGR"
