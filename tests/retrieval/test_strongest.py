import pytest
import template_network
import torch

from genviz.errors import UserError
from genviz.images.folders import find_pictures
from genviz.retrieval import strongest as module
from genviz.retrieval.strongest import Folder, Strongest, strongest
from genviz.targets.layers import find_filters
from genviz.training.signals import EndedError


@pytest.fixture
def classifier():
    from genviz.classifiers.from_module import from_module

    return from_module(
        template_network.network(),
        input_size=template_network.GRID,
        mean=(0.5, 0.5, 0.5),
        std=(1, 1, 1),
        labels=template_network.LABELS,
    )


@pytest.fixture
def folder(tmp_path):
    root = template_network.folder(tmp_path / "photos")
    return Folder(root, find_pictures(root).pictures)


def look(classifier, folder, kept, *layers, at_once=4):
    found = [find_filters(name, classifier.outline.layers) for name in layers or ("1",)]
    return strongest(folder, classifier, found, identity="x", kept=kept, at_once=at_once)


def test_the_nine_are_the_nine_at_their_places(classifier, folder, tmp_path):
    seen = look(classifier, folder, tmp_path / "seen")["1"]
    made = [
        (folder.paths[row].relative_to(folder.root).as_posix(), divmod(position, template_network.GRID))
        for row, position in zip(seen.rows[0].tolist(), seen.positions[0].tolist(), strict=True)
    ]
    assert made == template_network.ranked()
    assert seen.values[0].tolist() == sorted(seen.values[0].tolist(), reverse=True)


def test_they_are_those_of_each_picture_by_itself(classifier, folder, tmp_path):
    """Of all filters of two layers in one pass, against the maximum of each picture."""
    from genviz.images.pictures import read_upright

    found = look(classifier, folder, tmp_path / "seen", "0", "2", at_once=3)
    for layer in ("0", "2"):
        each = [classifier(read_upright(path), [layer])[layer].flatten(2).max(2).values[0] for path in folder.paths]
        values, rows = torch.stack(each).sort(dim=0, descending=True, stable=True)
        known = found[layer].values.isfinite()
        assert torch.allclose(found[layer].values[known], values[:9].T[known], atol=1e-5)
        assert (found[layer].rows[known] == rows[:9].T[known]).float().mean() > 0.9  # ties within rounding
        assert not (values[:9].T[~known] != 0).any()


def test_a_filter_that_stays_at_0_fires_nowhere(classifier, folder, tmp_path):
    assert not look(classifier, folder, tmp_path / "seen")["1"].values[4].isfinite().any()


def test_what_is_not_a_number_is_no_maximum_and_the_first_of_equal_ones_stays():
    none = Strongest.none(1)
    values = torch.tensor([1.0, float("nan"), 2.0, float("inf"), 2.0, 1.0])
    seen = none.with_more(values[:4].view(4, 1, 1, 1), [0, 1, 2, 3]).with_more(values[4:].view(2, 1, 1, 1), [4, 5])
    assert seen.rows[0, :4].tolist() == [2, 4, 0, 5]
    assert seen.values[0].isfinite().sum() == 4


def test_vectors_and_tokens_have_positions_too():
    vectors = Strongest.none(2).with_more(torch.tensor([[1.0, 5.0], [2.0, 4.0]]), [0, 1])
    assert vectors.rows[:, 0].tolist() == [1, 0]
    assert vectors.positions[:, :2].tolist() == [[0, 0], [0, 0]]
    tokens = Strongest.none(1).with_more(torch.tensor([[[1.0, 5.0, 3.0]]]), [7])
    assert (tokens.rows[0, 0].item(), tokens.positions[0, 0].item()) == (7, 1)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_pass_that_ends_anywhere_goes_on_to_the_same_bytes(classifier, folder, tmp_path, monkeypatch, after):
    (folder.root / "a/broken.png").write_bytes(b"nothing")
    (folder.root / "b/z.jpg").write_bytes(b"\xff\xd8nothing")
    folder = Folder(folder.root, find_pictures(folder.root).pictures)
    look(classifier, folder, tmp_path / "whole", "1", "2")
    monkeypatch.setattr(module, "_KEEP_EVERY", 0.0)
    own, passes = module.stream, []

    def ending(paths, size, at_once):
        for number, some in enumerate(own(paths, size, at_once)):
            if number == after:
                raise MemoryError
            passes.append(len(paths))
            yield some

    with monkeypatch.context() as patch:
        patch.setattr(module, "stream", ending)
        with pytest.raises(MemoryError):
            look(classifier, folder, tmp_path / "seen", "1", "2")
    assert len(list((tmp_path / "seen").iterdir())) == 2
    monkeypatch.setattr(module, "stream", lambda paths, *of: passes.append(len(paths)) or own(paths, *of))
    look(classifier, folder, tmp_path / "seen", "1", "2")
    assert passes[-1] == len(folder.paths) - 4 * after
    whole, seen = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("whole", "seen"))
    assert whole == seen
    look(classifier, folder, tmp_path / "seen", "2")
    assert passes[-1] == 0  # nothing is left to look at


def test_a_layer_that_comes_later_is_caught_up_with(classifier, folder, tmp_path):
    both = look(classifier, folder, tmp_path / "both", "1", "2")
    look(classifier, folder, tmp_path / "seen", "1")
    later = look(classifier, folder, tmp_path / "seen", "1", "2")
    assert all(torch.equal(a, b) for name in both for a, b in zip(both[name], later[name], strict=True))


def test_other_pictures_or_weights_are_another_pass(classifier, folder, tmp_path):
    first = look(classifier, folder, tmp_path / "seen")["1"]
    template_network.picture(folder.root / "b/12.png", ((16, 16), 1.0))
    assert look(classifier, folder, tmp_path / "seen")["1"].rows[0, :2].tolist() == [10, 12]
    assert first.rows[0, 0] == 10
    layers = [find_filters("1", classifier.outline.layers)]
    strongest(folder, classifier, layers, identity="y", kept=tmp_path / "seen", at_once=4)
    assert len(list((tmp_path / "seen").iterdir())) == 3


def test_a_damaged_state_is_begun_again(classifier, folder, tmp_path):
    first = look(classifier, folder, tmp_path / "seen")["1"]
    (file,) = (tmp_path / "seen").iterdir()
    for damage in (b"", b"nothing", file.read_bytes()[:-8]):
        file.write_bytes(damage)
        assert torch.equal(look(classifier, folder, tmp_path / "seen")["1"].rows, first.rows)


def test_a_signal_keeps_what_was_seen(classifier, folder, tmp_path, monkeypatch):
    import signal

    own = module.stream

    def interrupted(*of):
        for some in own(*of):
            signal.raise_signal(signal.SIGTERM)
            yield some

    with monkeypatch.context() as patch, pytest.raises(EndedError):
        patch.setattr(module, "stream", interrupted)
        look(classifier, folder, tmp_path / "seen")
    begun = []
    monkeypatch.setattr(module, "stream", lambda paths, *of: begun.append(len(paths)) or own(paths, *of))
    look(classifier, folder, tmp_path / "seen")
    assert begun == [len(folder.paths) - 4]


def test_damaged_pictures_are_named_and_skipped(classifier, folder, tmp_path, capsys):
    (folder.root / "a/00a.png").write_bytes(b"nothing")
    folder = Folder(folder.root, find_pictures(folder.root).pictures)
    for _ in range(2):  # also where the pass is not made again
        seen = look(classifier, folder, tmp_path / "seen")["1"]
        assert capsys.readouterr().err.count("a/00a.png cannot be decoded") == 1
    assert folder.paths[seen.rows[0, 0]].name == "10.png"


def test_a_folder_of_damaged_pictures_is_one_line(classifier, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.png").write_bytes(b"nothing")
    folder = Folder(tmp_path / "photos", find_pictures(tmp_path / "photos").pictures)
    with pytest.raises(UserError, match="none of its 1 pictures can be decoded"):
        look(classifier, folder, tmp_path / "seen")
