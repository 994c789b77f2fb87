import torch
from PIL import Image

from genviz.retrieval.tiles import kernel_tile, map_tile, signed_grey, write_pages


def test_a_coloured_kernel_is_as_it_is():
    weights = torch.tensor([1.0, 0.0, -1.0]).view(3, 1, 1).expand(3, 2, 2)
    tile = kernel_tile(weights, 4, colours=True)
    assert tile.shape == (4, 4, 3)
    assert tile.unique(dim=0).tolist() == [[[255, 128, 0]] * 4]


def test_deeper_kernels_are_a_grid_by_input_channel():
    weights = torch.zeros(5, 3, 3)
    weights[4] = -1.0
    tile = kernel_tile(weights, 30, colours=False)  # 3 x 2, each 9 pixels, with a line between
    assert tile.shape == (19, 29, 3)
    assert (tile[:9, :9] == 128).all()
    assert (tile[:, 9] == 255).all()
    assert (tile[10:, 10:19] == 0).all()


def test_maps_are_black_at_0_or_grey_where_some_are_negative():
    assert map_tile(torch.tensor([[0.0, 2.0]]), 2, signed=False).tolist() == [[[0] * 3, [255] * 3]]
    assert map_tile(torch.tensor([[-1.0, 0.0]]), 2, signed=True).tolist() == [[[0] * 3, [128] * 3]]
    assert map_tile(torch.zeros(1, 1), 3, signed=False).unique().tolist() == [0]
    assert signed_grey(torch.zeros(2)).tolist() == [128, 128]


def test_many_tiles_take_several_pages_and_old_ones_go(tmp_path):
    def tile(number):
        return f"{number}", torch.full((90, 90, 3), number % 255, dtype=torch.uint8)

    pages = write_pages(tmp_path, "many", 700, tile)
    assert [page.name for page in pages] == ["sheet-1.png", "sheet-2.png", "sheet-3.png"]
    assert all(max(Image.open(page).size) <= 2000 for page in pages)
    assert len(write_pages(tmp_path, "a title that is longer than what is below it", 2, tile)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_all_maps_of_a_layer_have_one_zero():
    values = torch.tensor([[0.0, 2.0]])
    assert map_tile(values, 2, signed=False)[0, :, 0].tolist() == [0, 255]
    assert map_tile(values, 2, signed=True)[0, :, 0].tolist() == [128, 255]
