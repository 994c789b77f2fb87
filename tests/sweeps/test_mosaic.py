"""Mosaics of figures and of sweeps."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from genviz.errors import UserError
from genviz.images.mosaic import write_mosaic
from genviz.images.pictures import write_png
from genviz.interfaces import Outline
from genviz.sweeps.figure import draw, panels
from genviz.sweeps.mosaic import draw_mosaic
from genviz.targets.grammar import parse_target
from genviz.training.loading import load_classifier

WORDS = ["classifier=small", "updates=2", "logger=none", "trainer.accelerator=cpu"]


def test_a_mosaic_has_what_each_neuron_sees(compose, tmp_path):
    words = ["target=neuron:relu1_1:0:9:9", "target=neuron:relu1_1:1:9:9", "target=neuron:relu3_1:0:4:4"]
    config = compose("experiment=mahendran2016_figure11", "objective.inner_product.largest=1", *WORDS)
    OmegaConf.update(config, "panels", {"small": words}, force_add=True)
    assert draw(config) == 0
    (mosaic,) = tmp_path.glob("outputs/small/*/mosaic.png")
    classifier = load_classifier("small")
    first, second = (classifier.receptive_side(layer) for layer in ("relu1_1", "relu3_1"))
    factor = -(-32 // first)
    image = np.asarray(Image.open(mosaic))
    assert second < 32
    assert image.shape[0] == 3 * 8 + 2 * 17 + first * factor + second * -(-32 // second)
    tile = image[8 + 17 :, 8:][: first * factor, : first * factor]
    assert np.array_equal(tile, tile[::factor, ::factor].repeat(factor, 0).repeat(factor, 1))
    area = classifier.receptive_area("relu1_1").down
    top = round(area.low + 9 * area.stride)
    (picture,) = tmp_path.glob("outputs/small/*/neuron-relu1_1-0-9-9/final.png")
    whole = np.asarray(Image.open(picture))
    assert np.array_equal(tile[::factor, ::factor], whole[top : top + first, top : top + first])


def test_a_mosaic_is_of_neurons_and_filters(compose, tmp_path):
    config = compose("experiment=mahendran2016_figure11", "objective.inner_product.largest=1", *WORDS)
    OmegaConf.update(config, "panels", {"small": ["target=class:zebra"]}, force_add=True)
    with pytest.raises(UserError, match="target=class:zebra: a mosaic is of single neurons or filters"):
        draw(config)
    assert not (tmp_path / "outputs").exists()


def test_a_row_shares_the_words_of_its_first_entry_and_a_panel_may_be_smaller(compose, tmp_path):
    config = compose("experiment=mahendran2016_figure11", "objective.inner_product.largest=1", *WORDS)
    words = [["classifier.input_size=32", "target=neuron:relu1_1:0:8:8"], ["target=neuron:relu1_1:1:9:9"]]
    OmegaConf.update(config, "panels", {"small": words}, force_add=True)
    (small,), (whole,) = panels(config)
    assert (small.classifier.input_size, whole.classifier.input_size) == (32, None)
    assert (small.target, whole.target) == ("neuron:relu1_1:0:8:8", "neuron:relu1_1:1:9:9")
    assert draw(config) == 0
    (picture,) = tmp_path.glob("outputs/small/*/neuron-relu1_1-0-8-8/final.png")
    assert Image.open(picture).size == (32, 32)
    assert len(list(tmp_path.glob("outputs/small/*/mosaic.png"))) == 1


def test_a_sweep_has_a_mosaic_of_its_layers(called, tmp_path):
    words = ["experiment=mahendran2016_maximization", "targets=neuron:relu1_1:0-1,filter:relu3_1:2", "mosaic=true"]
    done = called("train", *words, "classifier.input_size=48", *WORDS)
    assert done.returncode == 0
    (mosaic,) = tmp_path.glob("outputs/small/*/mosaic.png")
    assert f"mosaic      {mosaic.relative_to(tmp_path)}" in done.stdout
    classifier = load_classifier("small", input_size=48)
    first, second = (classifier.receptive_side(layer) for layer in ("relu1_1", "relu3_1"))
    assert Image.open(mosaic).height == 3 * 8 + 2 * 17 + sum(side * -(-32 // side) for side in (first, second))
    assert called("train", *words[:1], "targets=class:0-1", "mosaic=true", *WORDS).returncode == 2


def test_a_filter_is_shown_in_the_middle_and_a_smaller_picture_as_the_network_sees_it(tmp_path):
    classifier = load_classifier("small", input_size=48)
    outline: Outline = classifier.outline
    layer = next(layer for layer in outline.layers if layer.name == "relu3_1")
    pixels = torch.zeros(24, 24, 3, dtype=torch.uint8)
    pixels[:, 12:] = 255
    write_png(tmp_path / "half.png", pixels)
    target = parse_target("filter:relu3_1:0", outline.labels, outline.layers)
    draw_mosaic(tmp_path / "mosaic.png", [(target, outline, tmp_path / "half.png")], classifier)
    tile = np.asarray(Image.open(tmp_path / "mosaic.png"))[8 + 17 : -8, 8:-8]
    area = classifier.receptive_area("relu3_1").across
    edge = 24 - round(area.low + layer.shape[2] // 2 * area.stride)  # from the left of what it sees, in pixels
    factor = -(-32 // area.size)
    row = tile[0, : area.size * factor : factor, 0]
    assert (row[: edge - 1] == 0).all()
    assert (row[edge + 1 :] == 255).all()


def test_a_long_row_goes_on_below(tmp_path):
    write_mosaic(tmp_path / "mosaic.png", [("conv", [torch.zeros(40, 50, 3, dtype=torch.uint8)] * 30)])
    assert Image.open(tmp_path / "mosaic.png").size == (23 * 52 - 2 + 16, 8 + 17 + 2 * 42 - 2 + 8)
