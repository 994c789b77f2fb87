"""Every layer beside OpenCV's, which reads the same files of Caffe's by itself."""

import pytest
import torch
from classic_files import CLASSES, made, narrow, write_caffe
from torch import nn

from genviz.classifiers.classic_networks import RECIPES, ClassicNetwork, Norm
from genviz.classifiers.weight_files import caffe_file
from genviz.classifiers.weight_files.contents import fitted

cv2 = pytest.importorskip("cv2")

NORM = Norm(3, 0.06, 0.5, 1.0)
"""Unlike the recipes'; of OpenCV's, kappa is always 1."""

PARAMS = {
    nn.Conv2d: lambda m: (
        ("Convolution", "CONVOLUTION"),
        f"convolution_param {{ num_output: {m.out_channels} kernel_size: {m.kernel_size[0]} stride: {m.stride[0]} "
        f"pad: {m.padding[0]} group: {m.groups} }}",
    ),
    nn.ReLU: lambda m: (("ReLU", "RELU"), ""),
    nn.MaxPool2d: lambda m: (
        ("Pooling", "POOLING"),
        f"pooling_param {{ pool: MAX kernel_size: {m.kernel_size} stride: {m.stride} }}",
    ),
    nn.LocalResponseNorm: lambda m: (
        ("LRN", "LRN"),
        f"lrn_param {{ local_size: {m.size} alpha: {m.alpha} beta: {m.beta} k: {m.k} }}",
    ),
}


def prototxt(network, side, *, old):
    lines = ['input: "data"', f"input_dim: 1 input_dim: 3 input_dim: {side} input_dim: {side}"]
    below = "data"
    for name, module in network.named_children():
        kind = nn.Conv2d if isinstance(module, nn.Conv2d) else type(module)
        if kind not in PARAMS:
            continue
        words, params = PARAMS[kind](module)
        if name.startswith("fc"):
            words = ("InnerProduct", "INNER_PRODUCT")
            params = f"inner_product_param {{ num_output: {module.out_channels} }}"
        called = words[1] if old else f'"{words[0]}"'
        layer = "layers" if old else "layer"
        lines.append(f'{layer} {{ name: "{name}" bottom: "{below}" top: "{name}" type: {called} {params} }}')
        below = name
    return "\n".join(lines)


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", RECIPES)
def test_every_layer_is_opencvs(tmp_path, name, old):
    written, side = made(name, norm=NORM), RECIPES[name].input_size
    model, described = tmp_path / "net.caffemodel", tmp_path / "deploy.prototxt"
    write_caffe(model, written, old=old)
    described.write_text(prototxt(written, side, old=old))
    theirs = cv2.dnn.readNetFromCaffe(str(described), str(model))
    theirs.enableFusion(False)
    contents = caffe_file.read(model)
    network = ClassicNetwork(narrow(name), CLASSES, contents.norms)
    network.load_state_dict(fitted(contents, {key: tuple(value.shape) for key, value in network.state_dict().items()}))
    torch.manual_seed(0)
    values = inputs = 60 * torch.randn(1, 3, side, side)
    for layer, module in list(network.named_children())[:-1]:
        with torch.no_grad():
            values = module(values)
        theirs.setInput(inputs.numpy())
        found = torch.from_numpy(theirs.forward(layer)).view(values.shape)
        torch.testing.assert_close(found, values, rtol=0, atol=1e-5 * values.abs().max().item(), msg=layer)
