"""What is kept of a call, and what the next one knows."""

import csv
from pathlib import Path

import linear_network
import pytest
from PIL import Image
from zebras import QUICK, WORDS, levels, results, zebras

from genviz.adversarial.examples import attacker
from genviz.adversarial.examples.session import _truths
from genviz.images.pictures import read_image
from genviz.interfaces import Outline


@pytest.fixture
def photos(tmp_path):
    return zebras(tmp_path / "photos")


@pytest.fixture
def attacked(monkeypatch):
    """How many pictures were attacked together, each time."""
    plain, counts = attacker.attack, []
    monkeypatch.setattr(
        attacker, "attack", lambda *given, **more: counts.append(len(given[1])) or plain(*given, **more)
    )
    return counts


def test_what_is_done_is_kept(called, photos, tmp_path, attacked):
    done = called("fool", "image=photos", *QUICK, *WORDS)
    folder = tmp_path / "outputs/fool/small/pgd-linf-8-over-255/away"
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("fooled.png")}
    (folder / "2_zebra/fooled.png").write_bytes(b"damaged")
    (folder / "3_zebra/outcome.json").write_text("{}")
    attacked.clear()
    again = called("fool", "image=photos", *QUICK, *WORDS)
    assert again.stdout == done.stdout
    assert sum(attacked) == 2
    kept = [path for path in files if path.parent.name not in ("2_zebra", "3_zebra")]
    assert all(path.stat().st_mtime_ns == files[path] for path in kept)
    called("fool", "image=photos", *QUICK, "seed=1", *WORDS)
    assert sum(attacked) == 7


@pytest.mark.parametrize(("file", "made"), [("original.png", None), ("perturbation.png", b"damaged")])
def test_a_picture_without_one_of_its_files_is_attacked_again(called, photos, tmp_path, attacked, file, made):
    words = [f"image={photos}/0_zebra.png", *QUICK, *WORDS]
    done = called("fool", *words)
    path = tmp_path / "outputs/fool/small/pgd-linf-8-over-255/away/0_zebra" / file
    before = path.read_bytes()
    path.unlink() if made is None else path.write_bytes(made)
    again = called("fool", *words)
    assert (again.returncode, again.stdout) == (0, done.stdout), again.stderr
    assert path.read_bytes() == before
    assert sum(attacked) == 2


LINEAR = [*(word.replace(":network", ":scaled") for word in linear_network.WORDS), "+classifier.arguments.factor=1"]


@pytest.mark.parametrize(
    "changed",
    ["+classifier.arguments.factor=-1", "classifier.input_space.mean=[0,0,0]", "classifier.labels=[a,b,c]"],
)
def test_what_another_network_of_the_same_weights_does_is_not_known(called, tmp_path, attacked, changed):
    linear_network.folder(tmp_path / "photos", 3)
    changed_words = [word for word in LINEAR if word.partition("=")[0] != changed.partition("=")[0]]
    assert called("fool", "image=photos", *QUICK, *LINEAR).returncode == 0
    assert sum(attacked) == 3
    assert called("fool", "image=photos", *QUICK, *changed_words, changed).returncode == 0
    assert sum(attacked) == 6
    own, other = results(next(tmp_path.rglob("results.json")).parent)["classifier_settings"], LINEAR[-1]
    assert (own["arguments"] == {"factor": 1}) is (changed.partition("=")[0] != other.partition("=")[0])


def test_nor_is_what_another_of_the_second_network_says(called, photos, tmp_path, attacked):
    words = [f"image={photos}/0_zebra.png", "other=small", *QUICK, *WORDS]
    called("fool", *words, "other.input_size=32")
    called("fool", *words, "other.input_size=40")
    assert sum(attacked) == 2


def test_a_pictures_own_seed_is_that_of_its_place(called, photos, tmp_path, attacked):
    words = ["steps=1", "step=0.001", *WORDS]
    assert called("fool", f"image=[{photos}/0_zebra.png,{photos}/1_zebra.png]", *words).returncode == 0
    assert called("fool", f"image={photos}/1_zebra.png", *words).returncode == 0
    assert sum(attacked) == 3
    called("fool", f"image={photos}/1_zebra.png", "paths.outputs=o", *words)
    first, fresh = (tmp_path / root / "fool/small/pgd-linf-8-over-255/away/1_zebra" for root in ("outputs", "o"))
    assert (levels(first / "fooled.png") == levels(fresh / "fooled.png")).all()


def test_pictures_of_one_name_have_a_folder_each(called, photos, tmp_path, attacked):
    (tmp_path / "more").mkdir()
    Image.open(photos / "1_zebra.png").save(tmp_path / "more/0_zebra.png")
    folder = tmp_path / "outputs/fool/small/pgd-linf-8-over-255/away"
    assert called("fool", "image=photos/0_zebra.png", *QUICK, *WORDS).returncode == 0
    assert called("fool", "image=more/0_zebra.png", *QUICK, *WORDS).returncode == 0
    originals = [levels(folder / name / "original.png") for name in ("0_zebra", "0_zebra-2")]
    assert (originals[0] != originals[1]).any()
    assert results(folder)["pictures"]["0_zebra-2"]["file"] == "more/0_zebra.png"
    both = ["image=[photos/0_zebra.png,more/0_zebra.png,photos/0_zebra.png]", *QUICK, *WORDS]
    assert called("fool", *both).returncode == 0
    assert list(results(folder)["pictures"]) == ["0_zebra", "0_zebra-2", "0_zebra-3"]
    with (folder / "fooled.csv").open() as file:
        told = [(row["picture"], row["file"]) for row in csv.DictReader(file)]
    assert told == [("0_zebra", "photos/0_zebra.png"), ("0_zebra-2", "more/0_zebra.png"),
                    ("0_zebra-3", "photos/0_zebra.png")]  # fmt: skip
    count = sum(attacked)
    assert called("fool", *both).returncode == 0
    assert sum(attacked) == count


def test_the_class_is_the_folders_name_from_inside_it_too(tmp_path, monkeypatch):
    (tmp_path / "second").mkdir()
    monkeypatch.chdir(tmp_path / "second")
    outline = Outline(linear_network.LABELS, (), {}, (8, 8))
    for path in (Path("a.png"), Path("./a.png"), Path("../second/a.png"), tmp_path / "second/a.png"):
        assert _truths([path], "folder", outline) == [1]


def test_what_the_network_does_not_take_for_its_folders_class_is_left_alone(called, tmp_path):
    linear_network.folder(tmp_path / "photos", 6)
    wrong = {}
    for path in sorted((tmp_path / "photos").iterdir()):
        number = int(linear_network.network()(read_image(path) - 0.5).argmax())
        says, other = linear_network.LABELS[number], linear_network.LABELS[number - 1]
        if path.stem in ("02", "05"):
            wrong[path.stem] = f"the network says {says}, not {other}"
        folder = tmp_path / "photos" / (other if path.stem in wrong else says)
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    assert len(list((tmp_path / "photos").iterdir())) > 1
    done = called("fool", "image=photos", "truth=folder", *QUICK, *linear_network.WORDS)
    assert done.returncode == 0, done.stderr
    told = results(next(tmp_path.rglob("results.json")).parent)
    assert told["left_alone"] == wrong
    assert set(told["pictures"]) == {"00", "01", "03", "04"}


def test_further_starts_are_others_and_of_what_still_holds(called, tmp_path, monkeypatch):
    plain, made = attacker.attack, []

    def recorded(classifier, originals, *given, seeds, **more):
        found = plain(classifier, originals, *given, seeds=seeds, **more)
        says, said = (linear_network.network()(images - 0.5).argmax(1) for images in (found.images, originals))
        tried = zip(seeds, found.images, says == said, strict=True)
        made.append({seed: (image, bool(holds)) for seed, image, holds in tried})
        return found

    monkeypatch.setattr(attacker, "attack", recorded)
    linear_network.folder(tmp_path / "photos")
    words = ["image=photos", "epsilon=3/255", "steps=1", "step=1/255", "restarts=3", *linear_network.WORDS]
    assert called("fool", *words).returncode == 0
    first, second, third = made
    assert list(first) == list(range(12))
    for starts, before in ((second, first), (third, second)):
        assert list(starts) == [seed + 2**16 for seed, (_, holds) in before.items() if holds]
    assert len(first) > len(second) > len(third) > 0  # the second start helps
    folder = next(tmp_path.rglob("results.json")).parent
    for name, own in results(folder)["pictures"].items():
        image, holds = [starts[seed] for starts in made for seed in starts if seed % 2**16 == int(name)][-1]
        assert own["success"] is not holds
        if own["success"]:
            assert (levels(folder / name / "fooled.png") == (255 * image).round().movedim(0, -1).numpy()).all()


def test_the_smallest_of_what_has_no_class_is_refused(called, photos):
    done = called("fool", "image=photos", "target=filter:relu3_1:2@-1", "epsilon=min", *WORDS)
    assert (done.returncode, done.stdout) == (2, "")
    assert "epsilon=min is the least that changes a class; for target=filter:relu3_1:2@-1, give a number" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", [["method=bim"], ["method=pgd", "step=1/255", "steps=6"]])
def test_the_smallest_does_not_depend_on_what_is_attacked_beside(called, tmp_path, words):
    linear_network.folder(tmp_path / "photos", 6)
    found = []
    for at_once in (1, 6):
        own = ["image=photos", "epsilon=min", f"at_once={at_once}", f"paths.outputs=o{at_once}"]
        assert called("fool", *own, *words, *linear_network.WORDS).returncode == 0
        (place,) = (tmp_path / f"o{at_once}").rglob("results.json")
        found.append({name: one["epsilon"] for name, one in results(place.parent)["pictures"].items()})
        assert len(set(found[-1].values())) > 1
    assert found[0] == found[1]


def test_what_was_found_in_another_precision_is_not_known(called, photos, attacked):
    words = [f"image={photos}/0_zebra.png", *QUICK, *WORDS]
    called("fool", *words)
    called("fool", *words, "trainer.precision=bf16-mixed")
    assert sum(attacked) == 2
