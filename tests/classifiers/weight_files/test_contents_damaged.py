"""Damaged files of Caffe's and MatConvNet's: one line each, and neither long waits nor much memory."""

import random
import re
import resource
import sys
import time
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from classic_files import NORM, dagnn, simplenn, write_caffe, write_v5, write_v73
from torch import nn
from vgg_files import blob, field

from genviz.classifiers.classic import PUBLISHED, read
from genviz.classifiers.conversion import convert
from genviz.classifiers.mean_picture import MeanPicture
from genviz.classifiers.weight_files.converted_file import Facts, write
from genviz.errors import UserError

PATIENCE = 5.0  # seconds for a file of some kilobytes
ROOM = 400  # MB more than before
CLAIMS = [b"\xff" * 4, b"\xff\xff\xff\x7f", b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\xff" * 9 + b"\1", b"\0" * 4]
"""Lengths and numbers of dimensions that no file bears out."""

FORMS = {
    "v5.mat": lambda path, network: write_v5(path, simplenn(network)),
    "raw.mat": lambda path, network: write_v5(path, simplenn(network), compressed=False),
    "dag.mat": lambda path, network: write_v5(path, dagnn(network), compressed=False),
    "v73.mat": lambda path, network: write_v73(path, simplenn(network)),
    "dag73.mat": lambda path, network: write_v73(path, dagnn(network)),
    "old.caffemodel": lambda path, network: write_caffe(path, network, old=True),
    "new.caffemodel": lambda path, network: write_caffe(path, network, old=False, transform=MEAN),
    "new.prototxt": lambda path, network: path.write_text(PROTOTXT),
    "mean.binaryproto": lambda path, network: path.write_bytes(blob(torch.rand(1, 3, 5, 5), old=True)),
    "net.safetensors": lambda path, network: write(path, network.state_dict(), FACTS, source={}),
}
MEAN = field(4, b"/data/mean.binaryproto")
PROTOTXT = """
name: "a network" input: "data" input_dim: [1, 3, 227, 227]
layer { name: "conv1" type: "Convolution" convolution_param { num_output: 2 } }  # the first
layer { name: "norm1" type: "LRN" lrn_param { local_size: 3 alpha: 0.06 beta: 0.5 k: 1.5 } }
"""
FACTS = Facts("vgg_m", {"norm1": NORM}, MeanPicture(torch.rand(3, 4, 4), channels="RGB"))
READ_FROM = {"new.prototxt": "new.caffemodel", "mean.binaryproto": "new.caffemodel"}
"""The file that is given where these lie beside it."""


def _damaged(data, draw):
    """``data`` cut off, with some bytes changed, with absurd lengths, or with a part emptied or taken out."""
    way = draw.choice(["cut", "bytes", "lengths", "emptied", "taken"])
    if way == "cut":
        return data[: draw.randrange(len(data))]
    damaged = bytearray(data)
    if way == "bytes":
        for _ in range(draw.choice([1, 2, 8, 64])):
            damaged[draw.randrange(len(data))] = draw.randrange(256)
    elif way == "lengths":
        for _ in range(draw.choice([1, 1, 4])):
            at = draw.randrange(len(data) - 16)
            at -= at % draw.choice([1, 4, 8])
            claim = draw.choice(CLAIMS)
            damaged[at : at + len(claim)] = claim
    else:
        at, length = draw.randrange(len(data)), draw.randrange(1, 200)
        damaged[at : at + length] = bytes(min(length, len(data) - at)) if way == "emptied" else b""
    return bytes(damaged)


def _memory(*, afresh=False):
    """The most that this process has had, in MB; on Linux, since this was last asked ``afresh``."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    if afresh:  # or a large network of an earlier test would be the most
        Path("/proc/self/clear_refs").write_text("5")
    (most,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(most) / 1024


@pytest.mark.parametrize("count", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_a_damaged_file_is_one_line(tmp_path, count):
    network = nn.Sequential(
        OrderedDict(conv1=nn.Conv2d(3, 2, 3), relu1=nn.ReLU(), norm1=nn.LocalResponseNorm(5), fc8=nn.Conv2d(2, 3, 1))
    )
    whole = {}
    for name, written in FORMS.items():
        written(tmp_path / name, network)
        whole[name] = (tmp_path / name).read_bytes()
    for name in FORMS:
        assert len(read(tmp_path / READ_FROM.get(name, name)).state) == 4
    before, refused = _memory(afresh=True), 0
    for number in range(count):
        draw = random.Random(f"damage {number}")
        name = [*FORMS][number % len(FORMS)]
        given = tmp_path / READ_FROM.get(name, name)
        (tmp_path / name).write_bytes(_damaged(whole[name], draw))
        begun = time.monotonic()
        try:
            if draw.random() < 0.2 and given.suffix in PUBLISHED:
                convert(given, tmp_path / "x.safetensors")  # too small for any of the networks
            read(given)  # only values may have changed
        except UserError as error:
            refused += 1
            assert "\n" not in str(error), number
            assert tmp_path.name in str(error), number
        assert time.monotonic() - begun < PATIENCE, number
        (tmp_path / name).write_bytes(whole[name])
    assert refused > count / 2
    assert _memory() - before < ROOM
