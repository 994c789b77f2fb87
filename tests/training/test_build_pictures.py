"""The pictures that objectives and generators are given: of any kind, and what is none is one line."""

import numpy as np
import pytest
import torch
from PIL import Image

from genviz.errors import UserError
from genviz.images.pictures import read_image
from genviz.training import build, settings
from genviz.training.run_folders import RunFolders
from genviz.training.train import train

WORDS = ["classifier=small", "classifier.input_size=32", "trainer.accelerator=cpu", "logger=none"]
WORDS += ["generator=pixels", "lr_end=1"]
INVERSION = [*WORDS, "target=layer:relu2_1", "objective=inversion", "updates=1"]
ROWS, COLUMNS = np.mgrid[:32, :40]


def save(path, kind):
    """A picture of this kind; return what it should be read as, (rows, columns, 3) in 0-255."""
    grey = (3 * ROWS + 2 * COLUMNS).astype(np.uint8)
    colours = np.stack([grey, 255 - grey, grey // 2], 2)
    if kind == "RGBA":
        alpha = np.where(COLUMNS < 20, 255, 0)[..., None]
        Image.fromarray(np.concatenate([colours, alpha.astype(np.uint8)], 2)).save(path)
        return np.where(alpha == 255, colours, 255)
    if kind == "16-bit":
        Image.fromarray(grey.astype(np.uint16) * 256 + 77).save(path)
    elif kind == "grey":
        Image.fromarray(grey).save(path)
    elif kind == "grey with alpha":
        Image.fromarray(grey).convert("LA").save(path)
    elif kind == "CMYK":
        image = Image.fromarray(colours).convert("CMYK")
        image.save(path, quality=100)
        return np.asarray(Image.open(path).convert("RGB"))
    elif kind == "rotated":
        exif = Image.Exif()
        exif[0x0112] = 6  # taken with the camera on its side
        Image.fromarray(colours).save(path, exif=exif)
        return np.rot90(colours, -1)
    elif kind == "palette":
        image = Image.fromarray(colours).quantize(64)
        image.save(path)
        return np.asarray(image.convert("RGB"))
    else:
        Image.fromarray(np.where(grey > 100, 255, 0).astype(np.uint8)).convert("1").save(path)
        return np.repeat(np.where(grey > 100, 255, 0)[..., None], 3, 2)
    return np.repeat(grey[..., None], 3, 2)


KINDS = {
    "RGBA": "png", "16-bit": "png", "grey": "png", "grey with alpha": "png", "CMYK": "jpg", "rotated": "png",
    "palette": "png", "black and white": "bmp",
}  # fmt: skip


def run(compose, *words):
    config = compose(*words)
    settings.TrainSettings.check(config)
    target = build.target(config, build.sketch(config.classifier))
    assert train(config, target) == 0
    return RunFolders.of(config, target)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_any_kind_is_taken(compose, tmp_path, kind):
    """As what is inverted and as what is begun with, which is then no distance away."""
    path = tmp_path / f"a.{KINDS[kind]}"
    wanted = torch.from_numpy(save(path, kind).copy()) / 255
    begin = [f"image={path}", f"generator.start={path}", "generator.noise=0", "generator.size=null"]
    places = run(compose, *INVERSION, *begin, "generator.range=clipped", "regularizer=none", "transform=none")
    first = read_image(places.outputs / "snapshots/00000.png")
    assert first.shape == (1, 3, *wanted.shape[:2])
    torch.testing.assert_close(first[0].permute(1, 2, 0), wanted.float(), rtol=0, atol=0.6 / 255)


def refused(compose, tmp_path, *words):
    """What a run on these words says, which writes nothing."""
    with pytest.raises(UserError) as caught:
        run(compose, *words)
    assert not (tmp_path / "outputs").exists()
    assert not (tmp_path / "checkpoints").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("image", "says"),
    [("image=/nowhere/a.png", "there is no such file"), ("image=broken.png", "cannot read the picture broken.png"),
     ("image=cut.png", "cannot read the picture cut.png"), ("image=.", "cannot read"), ("image=null", "image=FILE"),
     ("generator.start=/nowhere/a.png", "there is no such file"), ("image=a.svg", "give a JPEG, PNG, WebP or BMP")],
)  # fmt: skip
def test_what_is_no_picture_is_one_line_and_nothing_is_written(compose, tmp_path, monkeypatch, image, says):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png", "grey")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:-30])
    (tmp_path / "a.svg").write_text("<svg></svg>")
    assert says in refused(compose, tmp_path, *INVERSION, "image=a.png", image)


@pytest.mark.parametrize(
    ("words", "says"),
    [(["objective=style", "style=a.png", "target=class:harmonica"], "convolutional layers"),
     (["objective=style", "image=a.png"], "style=FILE"),
     (["objective=content", "image=a.png", "objective.content.at=layer:relu9"], "no layer is called 'relu9'"),
     (["objective=probability"], "takes classes"),
     (["generator=octaves"], "start"), (["objective=inner_product", "pictures=/nowhere"], "no such folder"),
     (["objective=inner_product", "pictures=empty"], "no picture in it"),
     (["objective=inner_product", "objective.inner_product.direction=d.npy"], "the direction has shape (3,)"),
     (["objective=inner_product", "objective.inner_product.largest=many"], "largest"),
     (["objective=inversion", "image=a.png", "objective.inversion.window=wide"], "window"),
     (["objective=inversion", "image=a.png", "objective.inversion.channels=3"], "channels"),
     (["objective=inversion", "image=a.png", "objective.inversion.weight=heavy"], "heavy"),
     (["objective=inversion", "image=a.png", "+objective.inversion.lambda_others=1"], "no setting 'lambda_others'"),
     (["transform=jitter", "generator.margin=-2"], "margin"), (["optimizer=normalized_ascent", "optimizer.lr=0"], "lr"),
     (["optimizer=pre_image", "optimizer.until=late"], "until")],
)  # fmt: skip
def test_settings_that_cannot_work_are_one_line_and_nothing_is_written(compose, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png", "grey")
    np.save(tmp_path / "d.npy", np.ones(3))
    (tmp_path / "empty").mkdir()
    assert says in refused(compose, tmp_path, *WORDS, "target=layer:relu2_1", "updates=1", *words)


def test_a_checkpoint_goes_on_with_its_picture_wherever_that_lies(compose, tmp_path):
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / "x.png", "grey" if folder == "c" else "RGBA")
    words = [*INVERSION[:-1], "tag=moved"]
    first = run(compose, *words, f"image={tmp_path}/a/x.png", "updates=2")
    again = run(compose, *words, f"image={tmp_path}/b/x.png", "updates=4")
    assert first == again
    assert len((again.outputs / "metrics.csv").read_text().splitlines()) == 1 + 4
    with pytest.raises(UserError, match="objective.inversion.image was sha256 .* and is sha256 .*resume=false"):
        run(compose, *words, f"image={tmp_path}/c/x.png", "updates=4")


def test_other_pictures_and_objectives_have_folders_of_their_own(compose, tmp_path):
    def places(*words):
        config = compose("target=layer:relu2_1", *WORDS, *words)
        return RunFolders.of(config, build.target(config, build.sketch(config.classifier))).outputs

    words = [["objective=inversion", "image=a.png"], ["objective=inversion", "image=b.png"], ["objective=style"],
             ["objective=content", "image=a.png"], ["objective=[content,style]", "image=a.png", "style=b.png"],
             ["objective=[content,style]", "image=b.png", "style=a.png"], []]  # fmt: skip
    folders = {places(*each) for each in words}
    assert len(folders) == len(words)
    assert all(folder.parent.parent == tmp_path / "outputs/small" for folder in folders)
