import time

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from genviz.errors import UserError
from genviz.learning.data import Batches, Centres, Crops, Damaged, Timed, read_picture, split, stack


def picture(path, mode="RGB", size=(40, 30), colour=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(len(path.name))
    pixels = draw.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels) if colour is None else Image.new("RGB", size, colour)
    image.convert(mode).save(path)
    return path


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "png"), ("P", "png"), ("RGBA", "png"), ("CMYK", "jpg"), ("I;16", "png")]
)
def test_every_mode_becomes_rgb(tmp_path, mode, suffix):
    path = tmp_path / f"x.{suffix}"
    if mode == "I;16":
        Image.fromarray(np.full((30, 40), 30_000, dtype=np.uint16)).save(path)
    else:
        picture(path, mode)
    read = read_picture(path, 256)
    assert (read.shape, read.dtype) == ((3, 30, 40), torch.uint8)
    assert len(read.unique()) > 5 or (mode == "I;16" and (read == 30_000 >> 8).all())


def test_what_is_transparent_becomes_white(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "x.png")
    assert (read_picture(tmp_path / "x.png", 8) == 255).all()


def test_a_picture_on_its_side_is_set_upright(tmp_path):
    image = Image.new("RGB", (40, 30), "black")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    image.save(tmp_path / "x.jpg", exif=exif)
    assert read_picture(tmp_path / "x.jpg", 256).shape == (3, 40, 30)


def test_a_large_picture_is_shrunk_and_a_small_one_left(tmp_path):
    picture(tmp_path / "x.jpg", size=(1000, 500))
    assert read_picture(tmp_path / "x.jpg", 100).shape == (3, 100, 200)
    assert read_picture(tmp_path / "x.jpg", 800).shape == (3, 500, 1000)


@pytest.fixture
def folders(tmp_path):
    red = [picture(tmp_path / f"red/{n}.png", colour="red") for n in range(3)]
    blue = [picture(tmp_path / "blue/0.png", colour="blue")]
    return [red, blue]


def test_a_crop_is_the_same_whoever_asks_for_it_and_when(folders):
    one, other = Crops(folders, size=16), Crops(folders, size=16)
    torch.manual_seed(1)
    backwards = {number: one[number] for number in (9, 5, 2)}
    state = torch.get_rng_state()
    assert all(torch.equal(other[number], crop) for number, crop in backwards.items())
    assert torch.equal(torch.get_rng_state(), state)
    assert backwards[9].shape == (3, 16, 16)
    assert not torch.equal(one[2], Crops(folders, size=16, seed=1)[2])


def test_folders_are_drawn_from_by_their_shares_whatever_they_hold(folders):
    def share_of_blue(**shares):
        crops = Crops(folders, size=4, colour=0.0, **shares)
        coloured = [crop for crop in (crops[n].float().mean((1, 2)) for n in range(300)) if crop[0] != crop[2]]
        return sum(bool(crop[2] > crop[0]) for crop in coloured) / len(coloured)

    assert share_of_blue() == pytest.approx(0.5, abs=0.1)
    assert share_of_blue(shares=[3, 1]) == pytest.approx(0.25, abs=0.1)


def test_damaged_pictures_are_passed_over_and_named_once(folders, tmp_path, capsys):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no jpeg")
    damaged = Damaged([broken, *folders[1]])
    crops = Crops([[broken, folders[1][0]]], size=4, colour=0.0, damaged=damaged)
    assert all(crops[n].shape == (3, 4, 4) for n in range(10))
    assert Centres([broken, folders[1][0]], size=4, shorter=4, damaged=damaged)[0] is None
    assert capsys.readouterr().err.count(str(broken)) == 1
    assert len(damaged) == 1
    assert stack([None, torch.ones(3, 4, 4)]).shape == (1, 3, 4, 4)
    assert len(stack([None])) == 0
    with pytest.raises(UserError, match="can be decoded"):
        Crops([[broken]], size=4)[0]


def test_a_damaged_picture_is_known_to_all_processes(folders, tmp_path, capfd):
    broken = [tmp_path / f"broken{number}.jpg" for number in range(2)]
    for path in broken:
        path.write_bytes(b"no jpeg")
    damaged = Damaged([*broken, *folders[0]])
    crops = Crops([[*broken, *folders[0]]], size=4, colour=0.0, damaged=damaged)
    loader = DataLoader(crops, batch_sampler=[range(n, n + 8) for n in range(0, 64, 8)], num_workers=2)
    assert sum(len(batch) for batch in loader) == 64
    assert len(damaged) == 2
    assert set(capfd.readouterr().err.split()) >= {str(path) for path in broken}


def test_without_changes_of_colour_no_crop_is_grey(folders):
    crops = Crops([folders[1]], size=4, colour=0.0)
    assert all(torch.equal(crops[n][:, 0, 0], torch.tensor([0, 0, 255], dtype=torch.uint8)) for n in range(40))


def test_what_is_waited_for_is_counted():
    def slow():
        for number in range(4):
            time.sleep(0.05)
            yield torch.tensor(number)

    timed = Timed(slow())
    assert [int(batch) for batch in timed] == [0, 1, 2, 3]
    assert timed.seconds >= 0.15


def test_memory_is_a_limit(folders):
    crops = Crops(folders, size=4, memory=40 * 30 * 3 * 2)
    for number in range(40):
        crops[number]
    assert len(crops._kept) == 2


def test_whole_pictures_are_cut_in_the_middle(tmp_path):
    image = Image.new("RGB", (60, 20), "black")
    image.paste("white", (20, 0, 40, 20))
    image.save(tmp_path / "x.png")
    assert (Centres([tmp_path / "x.png"], size=16, shorter=20)[0] == 255).all()


def test_held_out_pictures_are_not_trained_on():
    training, held_out = split(list(range(100)), 10)
    assert (len(training), len(held_out)) == (90, 10)
    assert not set(training) & set(held_out)
    assert held_out[:2] == [4, 14]


def test_batches_go_on_where_they_stopped():
    whole, late = iter(Batches(0, 4)), iter(Batches(2, 4))
    rest = [next(whole) for _ in range(5)][2:]
    assert [next(late) for _ in range(3)] == rest
    assert rest[0] == [8, 9, 10, 11]


def test_two_processes_share_the_batches_of_one():
    whole, parts = iter(Batches(3, 4)), [iter(Batches(3, 2, process, 2)) for process in range(2)]
    for _ in range(3):
        assert next(whole) == next(parts[0]) + next(parts[1])


@pytest.mark.parametrize("settings", [{"shares": [1]}, {"shares": [0, 0]}, {"area": [0, 1]}, {"area": [0.5, 0.1]}])
def test_settings_that_mean_nothing_are_refused(folders, settings):
    with pytest.raises(UserError, match=rf"data\.{next(iter(settings))}="):
        Crops(folders, size=4, **settings)


def test_a_damaged_exif_is_a_damaged_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 50)).save(tmp_path / "a.jpg", exif=exif)
    whole = (tmp_path / "a.jpg").read_bytes()
    seen = []
    for place in range(20, 60):  # each byte of the EXIF in turn
        (tmp_path / "a.jpg").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        seen.append(Centres([tmp_path / "a.jpg"], size=8, shorter=8)[0])
    assert any(one is None for one in seen)
    assert all(one.shape == (3, 8, 8) for one in seen if one is not None)
    assert any(one is not None for one in seen)


def test_other_shapes_than_squares_are_filled_and_not_stretched(tmp_path):
    picture = np.zeros((60, 80, 3), dtype=np.uint8)
    picture[20:40, 30:50] = 255  # a white square in the middle
    picture[..., 2] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    centre = Centres([tmp_path / "a.png"], size=(10, 40), shorter=10)[0]
    assert centre.shape == (3, 10, 40)
    assert (centre[2] == 255).all()  # nothing is padded
    white = centre[0][5] > 127
    assert abs(int(white.sum()) - 10) <= 1  # 80 pixels to 40: half as large both ways
    picture[..., :2] = 0
    picture[26:34, 36:44] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    crops = Crops([[tmp_path / "a.png"]], size=(40, 120), area=(0.2, 0.2), colour=0.0)
    stretched = []
    for number in range(40):
        seen = crops[number][0] > 127
        rows, columns = (int(seen.any(axis).sum()) for axis in (1, 0))
        edge = seen[0].any() or seen[-1].any() or seen[:, 0].any() or seen[:, -1].any()
        if rows and not edge:  # all of the square is in the crop
            stretched.append(columns / rows)
    assert stretched
    assert max(stretched) < 4 / 3 + 0.2
    assert min(stretched) > 3 / 4 - 0.2


def test_crops_end_when_the_pictures_are_gone(tmp_path):
    Image.new("RGB", (40, 50)).save(tmp_path / "a.png")
    damaged = Damaged([tmp_path / "a.png", tmp_path / "held_out.png"], say=False)
    undrawn = [tmp_path / "held_out.png"]
    crops = Crops([[tmp_path / "a.png"], undrawn], shares=[1, 0], size=8, memory=0, damaged=damaged)
    crops[0]
    (tmp_path / "a.png").unlink()
    with pytest.raises(UserError, match="no picture can be decoded"):
        crops[1]
