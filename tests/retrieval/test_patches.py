import csv
import io

import pytest
import template_network
import torch

from genviz.attribution.rectified import deconvnet, guided_backpropagation
from genviz.attribution.score import Score
from genviz.classifiers.from_module import from_module
from genviz.images.folders import find_pictures
from genviz.images.maps import signed_picture
from genviz.images.pictures import read_upright
from genviz.retrieval.cut import cut
from genviz.retrieval.patches import patches, rows_of, table
from genviz.retrieval.strongest import Folder, strongest
from genviz.targets.grammar import parse_target
from genviz.targets.layers import find_filters


@pytest.fixture
def classifier():
    size, labels = template_network.GRID, template_network.LABELS
    return from_module(template_network.network(), input_size=size, mean=(0.5, 0.5, 0.5), std=(1, 1, 1), labels=labels)


@pytest.fixture
def folder(tmp_path):
    root = template_network.folder(tmp_path / "photos")
    return Folder(root, find_pictures(root).pictures)


@pytest.fixture
def made(classifier, folder, tmp_path):
    def of(name, *filters):
        layer = find_filters(name, classifier.outline.layers)
        found = strongest(folder, classifier, [layer], identity="x", kept=tmp_path / "seen")[name]
        return list(patches(classifier, layer, filters, found, folder))

    return of


def test_a_patch_is_the_template_and_grey_beyond_the_border(made):
    (first,) = made("1", 0)
    assert [(patch.picture, patch.place) for patch in first.patches] == template_network.ranked()
    template = (template_network.templates()[0] > 0).permute(1, 2, 0)
    assert len({patch.picture for patch in first.patches}) == 9
    for patch in first.patches:
        assert patch.pixels.shape == (5, 5, 3)
        row, column = patch.place
        assert patch.box == (column - 2, row - 2, column + 3, row + 3)
        inside = torch.zeros(5, 5, dtype=torch.bool)
        inside[max(0, 2 - row) : 34 - row, max(0, 2 - column) : 34 - column] = True
        assert ((patch.pixels > 128) == template)[inside].all()
        assert (patch.pixels[~inside] == 128).all()
        assert (patch.guided[~inside] == 128).all()
    borders = [patch for patch in first.patches if patch.place in ((0, 0), (31, 16), (16, 31))]
    assert len(borders) == 3


def test_guided_backpropagation_shows_the_template(made):
    (first,) = made("1", 0)
    seen = ((template_network.templates()[0] > 0) * 255).byte().permute(1, 2, 0)
    inner = [patch for patch in first.patches if min(patch.place) >= 2 and max(patch.place) < 30]
    assert len(inner) == 6  # of nine, three are at the border
    for patch in inner:
        assert torch.equal(patch.guided, seen)
        assert torch.equal(patch.deconv, seen)


def test_the_maps_are_those_of_the_very_unit(made, classifier, folder):
    """One by one, by the target string of the neuron."""
    for each in made("2", 0, 3):
        for patch in each.patches:
            text = f"neuron:2:{each.filter}:{patch.place[0]}:{patch.place[1]}"
            score = Score(classifier, parse_target(text, classifier.outline.labels, classifier.outline.layers))
            image = read_upright(folder.root / patch.picture)
            assert score(image).item() == pytest.approx(patch.value, rel=1e-5)
            for method, shown in ((guided_backpropagation, patch.guided), (deconvnet, patch.deconv)):
                assert torch.equal(signed_picture(cut(method(score, image)[0], patch.box, 0.0)), shown)


def test_without_a_relu_on_the_way_the_maps_are_the_gradient(made):
    (first,) = made("0", 0)
    template = ((template_network.templates()[0] > 0) * 255).byte().permute(1, 2, 0)
    inner = [patch for patch in first.patches if min(patch.place) >= 2 and max(patch.place) < 30]
    assert inner
    assert all(torch.equal(patch.guided, template) and torch.equal(patch.deconv, template) for patch in inner)


def test_a_layer_without_places_shows_whole_pictures(made):
    for name in ("scores", "4"):
        (first,) = made(name, 1)
        assert all(patch.box == (0, 0, 32, 32) and patch.pixels.shape == (32, 32, 3) for patch in first.patches)
        assert first.patches


def test_a_silent_filter_has_no_patch(made):
    assert made("1", 4)[0].patches == []


def test_a_picture_that_is_gone_since_is_left_out(made, folder):
    made("1", 0)
    own = folder.paths[10].read_bytes()
    stat = folder.paths[10].stat()
    folder.paths[10].write_bytes(b"x" * len(own))
    import os

    os.utime(folder.paths[10], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert [patch.picture for patch in made("1", 0)[0].patches] == [name for name, _ in template_network.ranked()[1:]]


def test_the_table_has_each_patch_with_its_place_and_box(made):
    found = made("1", 0, 4, 1)
    rows = list(csv.DictReader(io.StringIO(table([row for each in found for row in rows_of(each)]))))
    assert [row["filter"] for row in rows[:9]] == ["0"] * 9
    assert "4" not in {row["filter"] for row in rows}
    for row, (name, place) in zip(rows, template_network.ranked(), strict=False):
        assert (row["picture"], int(row["row"]), int(row["column"])) == (name, *place)
        assert int(row["left"]) == place[1] - 2
        assert int(row["bottom"]) == place[0] + 3
    assert [int(row["rank"]) for row in rows[:9]] == list(range(1, 10))
