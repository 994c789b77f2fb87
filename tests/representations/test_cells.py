import torch

from genviz.representations.cells import Cells


def test_a_pixel_is_shared_out_among_the_nearest_cells():
    pixels = torch.zeros(1, 1, 8, 8)
    pixels[0, 0, 2, 3] = 1.0
    cells = Cells(1, 4, spacing=4, first=1.5, repeat=False)(pixels)  # centres at 1.5 and 5.5
    rows, columns = torch.tensor([0.875, 0.125]), torch.tensor([0.625, 0.375])
    torch.testing.assert_close(cells[0, 0], rows[:, None] * columns)


def test_beyond_the_border_are_the_outermost_pixels_or_nothing():
    pixels = torch.ones(1, 1, 9, 9)
    full = Cells(1, 4, spacing=4, first=0.0, repeat=True)(pixels)
    torch.testing.assert_close(full, torch.full((1, 1, 3, 3), 16.0))  # 4 x 4: the area of a window
    less = Cells(1, 4, spacing=4, first=0.0, repeat=False)(pixels)
    assert less[0, 0, 1, 1] == 16
    assert less[0, 0, 0, 0] == 2.5**2
