import base64
import io

import numpy as np
from PIL import Image

from genviz.images.thumbnails import atlases, scattered, thumbnails

RED, BLUE = (220, 20, 20), (20, 20, 220)


def plain(*colours, side=8):
    return np.stack([np.full((side, side, 3), colour, np.uint8) for colour in colours])


def test_a_thumbnail_is_the_middle_of_its_picture(tmp_path):
    wide = Image.new("RGB", (300, 100), BLUE)
    wide.paste(RED, (100, 0, 200, 100))
    wide.save(tmp_path / "wide.png")
    Image.new("RGB", (3, 5), RED).save(tmp_path / "small.png")
    Image.new("RGB", (1, 20_000), RED).save(tmp_path / "strip.png")  # enlarged as a whole, 24 MB
    (tmp_path / "broken.png").write_bytes(b"nothing")
    paths = [tmp_path / f"{name}.png" for name in ("wide", "small", "strip", "broken", "gone")]
    found = thumbnails(paths, 20)
    assert found.shape == (5, 20, 20, 3)
    assert (np.abs(found[:3, 2:-2, 2:-2].astype(int) - RED) < 8).all()
    assert len(np.unique(found[3:])) == 1


def test_thumbnails_lie_at_their_places_the_marked_ones_on_top():
    canvas = scattered(plain(RED, BLUE), np.array([[20, 20], [20, 22]]), 8, (60, 60), {0: "class:zebra"})
    assert canvas.size == (60, 60)
    assert canvas.getpixel((20, 20)) == RED
    assert canvas.getpixel((20, 14)) not in (RED, BLUE, (255, 255, 255))  # its frame
    assert canvas.getpixel((50, 10)) == (255, 255, 255)
    assert scattered(plain(RED), np.array([[30, 30]]), 20, (60, 60), {}).getpixel((22, 38)) == RED


def test_an_atlas_has_them_row_by_row():
    colours = [(8 * number, 100, 255 - 8 * number) for number in range(20)]
    urls, across = atlases(plain(*colours, side=1024))
    assert across == 2
    assert len(urls) == 5
    second = Image.open(io.BytesIO(base64.b64decode(urls[1].partition(",")[2])))
    assert second.size == (2048, 2048)
    for place in range(4):
        seen = second.getpixel((512 + 1024 * (place % 2), 512 + 1024 * (place // 2)))
        assert max(abs(a - b) for a, b in zip(seen, colours[4 + place], strict=True)) < 8
