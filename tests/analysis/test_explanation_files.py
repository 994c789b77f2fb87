import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genviz.analysis import explanation_files, picture_report
from genviz.analysis.explanation_files import explain, method_settings
from genviz.analysis.explanation_settings import ExplainSettings
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.images.pictures import read_upright, resize
from genviz.retrieval.generated import Generated
from genviz.targets.grammar import parse_target
from genviz.training import configuration, default_classifier
from genviz.training.signals import EndedError

WORDS = ["classifier=small", "classifier.input_size=64", "logger=none", "steps=2", "checked=1", "target=class:zebra"]


def run(folder, *words):
    config = configuration.compose("explain", [*WORDS, f"paths.outputs={folder}/outputs", *words])
    ExplainSettings.check(config)
    return explain(config)


def picture(path, seed=0):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (50, 60, 3), dtype=np.uint8)).save(path)
    return path


def test_a_folder_of_pictures_and_several_methods(tmp_path, capsys):
    for name in ("a.png", "b.png"):
        picture(tmp_path / "photos" / name)
    (tmp_path / "photos" / "broken.png").write_bytes(b"not a picture")
    assert run(tmp_path, f"image={tmp_path}/photos", "target=top1", "method=saliency,gradcam") == 0
    said = capsys.readouterr()
    assert "broken.png cannot be decoded" in said.err
    folder = tmp_path / "outputs" / "explain" / "small" / "top1"
    told = json.loads((folder / "explanations.json").read_text())
    for facts in told["pictures"][0]["methods"].values():
        half = facts["correlation_with_random_weights"]["half"]
        assert facts["depends"] is (half < 0.5)
        says = "depends" if half < 0.5 else "hardly depends"
        assert f"; {says} on the upper layers' weights (rank correlation {half:.2f} without them)\n" in said.out
    assert [one["picture"] for one in told["pictures"]] == ["a", "b"]
    for one in ("a", "b"):
        assert np.load(folder / one / "gradcam.npy").shape == (64, 64)
        for name in ("picture", "gradcam", "saliency"):
            with Image.open(folder / one / f"{name}.png") as made:
                assert made.height == 64
        page = (folder / one / "report.html").read_text()
        assert "jigsaw" in page or told["pictures"][0]["top"][0]["label"].split(",")[0] in page
        assert "gradcam.png" in page
        assert "nearest pictures" not in page
    assert (folder / "sheet.png").exists()
    first, second = (one["methods"]["gradcam"] for one in told["pictures"])
    assert 0 <= first["deletion"] <= 1
    assert "correlation_with_random_weights" in first
    assert "correlation_with_random_weights" not in second  # checked=1


def test_all_leaves_out_what_does_not_fit(tmp_path, capsys):
    file = picture(tmp_path / "photos" / "x.png")
    words = [
        "method=all",
        "target=filter:conv1_1:0",
        "steps=0",
        "checked=0",
        "occlusion.size=32",
        "occlusion.stride=32",
    ]
    assert run(tmp_path, f"image={file}", *words, "integrated_gradients.steps=2", "smoothgrad.samples=2") == 0
    said = capsys.readouterr().out
    assert "gradcam left out: no layer before filter:conv1_1:0" in said
    assert "deconvnet left out: there is no ReLU" in said
    folder = tmp_path / "outputs" / "explain" / "small" / "filter-conv1_1-0"
    told = json.loads((folder / "explanations.json").read_text())
    assert set(told["pictures"][0]["methods"]) == {"saliency", "cam", "occlusion", "integrated_gradients", "smoothgrad"}
    assert len(told["left_out"]) == 4


def test_top1_is_what_the_network_says_of_each(tmp_path):
    for name, seed in (("a", 0), ("b", 4)):
        picture(tmp_path / "photos" / f"{name}.png", seed)
    assert run(tmp_path, f"image={tmp_path}/photos", "target= Top1", "method=saliency", "checked=0") == 0
    folder = tmp_path / "outputs" / "explain" / "small" / "top1"
    classifier, seen = SmallClassifier(input_size=64), set()
    for told in json.loads((folder / "explanations.json").read_text())["pictures"]:
        best = int(classifier(resize(read_upright(Path(told["file"])), (64, 64)), ["scores"])["scores"].argmax())
        assert told["top"][0]["number"] == best
        target = parse_target(told["target"], classifier.outline.labels, classifier.outline.layers)
        assert target.units[0].index == (best,)
        assert told["measured"] == "probability"
        seen.add(best)
    assert len(seen) == 2  # or one class for both would do


def test_every_setting_of_a_method_has_its_own_value():
    words = ["occlusion.size=40", "occlusion.stride=11", "occlusion.fill=0.25", "seed=7", "at_once=3", "layer=relu3_1"]
    words += ["integrated_gradients.steps=13", "integrated_gradients.baseline=0.75", "image=a.png"]
    config = configuration.compose("explain", [*WORDS, *words, "smoothgrad.samples=5", "smoothgrad.sigma=0.4"])
    ExplainSettings.check(config)
    outline = SmallClassifier.sketch(input_size=64)
    layers = {layer.name: layer for layer in outline.layers}
    target = parse_target("filter:relu4_1:3", outline.labels, outline.layers)
    assert method_settings(config, outline, target)._asdict() == {
        **{"layer": layers["relu3_1"], "pooled": layers["relu4_1"], "size": 40, "stride": 11, "fill": 0.25},
        **{"points": 13, "baseline": 0.75, "samples": 5, "sigma": 0.4, "seed": 7, "at_once": 3},
    }


def test_maps_have_a_bar_unless_it_is_not_asked_for(tmp_path):
    words = [f"image={picture(tmp_path / 'photos/a.png')}", "method=saliency,gradcam,deconvnet", "steps=0", "checked=0"]
    folder, shown = tmp_path / "outputs" / "explain" / "small" / "class-zebra" / "a", {}
    for bar in ("true", "false"):
        assert run(tmp_path, *words, f"bar={bar}") == 0
        for name in ("saliency", "gradcam", "deconvnet"):
            with Image.open(folder / f"{name}.png") as made:
                shown[bar, name] = np.asarray(made.convert("RGB"))
    for name in ("saliency", "gradcam"):
        assert shown["false", name].shape == (64, 64, 3)
        assert shown["true", name].shape[1] > 64 + 10
        assert np.array_equal(shown["true", name][:, :64], shown["false", name])
    assert np.array_equal(shown["true", "deconvnet"], shown["false", "deconvnet"])  # signed: in grey, without one


def test_pictures_of_one_name_are_apart(tmp_path):
    files = [picture(tmp_path / name / "x.png", seed) for seed, name in enumerate("ab")]
    assert run(tmp_path, f"image=[{files[0]},{files[1]}]", "method=saliency", "steps=0", "checked=0") == 0
    folder = tmp_path / "outputs" / "explain" / "small" / "class-zebra"
    assert (folder / "x" / "picture.png").read_bytes() != (folder / "x-2" / "picture.png").read_bytes()
    told = json.loads((folder / "explanations.json").read_text())["pictures"]
    assert {one["picture"]: one["file"] for one in told} == {"x": str(files[0]), "x-2": str(files[1])}


def test_a_folder_holds_maps_of_one_picture(tmp_path):
    """Those of other methods stay, unless the file has another picture by now."""
    words = ["steps=0", "checked=0", f"data={tmp_path}/a", "neighbours=2", f"paths.checkpoints={tmp_path}/checkpoints"]
    files = [picture(tmp_path / name / "x.png", seed) for seed, name in enumerate("ab")]
    picture(tmp_path / "a" / "y.png", 2)
    folder, shown = tmp_path / "outputs" / "explain" / "small" / "class-zebra" / "shown", tmp_path / "shown.png"
    for file, method, number, maps in (
        (files[0], "saliency", 2, {"saliency"}),
        (files[0], "gradcam", 2, {"saliency", "gradcam"}),
        (files[1], "gradcam", 1, {"gradcam"}),
    ):
        shutil.copy(file, shown)
        assert run(tmp_path, f"image={shown}", f"method={method}", *words, f"neighbours={number}") == 0
        assert {path.stem for path in folder.glob("*.npy")} == maps
        assert {path.stem for path in folder.glob("*.png")} == maps | {"picture"}
        assert len(list((folder / "report").iterdir())) == number


def test_a_network_without_classes(tmp_path, capsys):
    file = picture(tmp_path / "photos" / "<b>&.png")
    words = ["classifier=hog", "classifier.input_size=64", "method=saliency", f"image={file}"]
    assert run(tmp_path, *words, "target=filter:hog:3") == 0
    assert "\n-b--: filter:hog:3\n" in capsys.readouterr().out
    page = (tmp_path / "outputs/explain/hog/filter-hog-3/-b--/report.html").read_text()
    assert "&lt;b&gt;&amp;.png</span>, as the network sees it" in page
    assert "what the network says" not in page
    with pytest.raises(UserError, match="no classes; say what to explain"):
        run(tmp_path, *words, "target=top1")
    assert not (tmp_path / "outputs/explain/hog/top1").exists()


def test_sheets_of_an_earlier_call_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(explanation_files, "_ROWS", 1)
    for number in range(2):
        picture(tmp_path / "photos" / f"{number}.png", number)
    words = ["method=saliency", "steps=0", "checked=0"]
    folder = tmp_path / "outputs" / "explain" / "small" / "class-zebra"
    for image, sheets in (("photos", {"sheet.png", "sheet-2.png"}), ("photos/0.png", {"sheet.png"})):
        assert run(tmp_path, f"image={tmp_path / image}", *words) == 0
        assert {path.name for path in folder.glob("sheet*.png")} == sheets


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["image=nowhere.png"], "no such file"),
        (["image=EMPTY"], "no picture in it"),
        (["image=[]"], r"image=\[\] names no picture"),
        (["image=TEXT"], "cannot read the picture"),
        (["image=3"], "cannot read the picture 3|must be a picture"),
        (["image=PICTURE", "method=gradcan"], "did you mean gradcam"),
        (["image=PICTURE", "method=[]"], "must be a method"),
        (["image=PICTURE", "method=guided_gradcam", "target=filter:conv1_1:0"], "no ReLU on the way"),
        (["image=PICTURE", "layer=scores"], "no positions"),
        (["image=PICTURE", "layer=relu9_9"], "relu9_9"),
        (["image=PICTURE", "target=class:zebrra"], "zebra"),
        (["image=PICTURE", "occlusion.size=8"], "occlusion.stride=16 must be at most occlusion.size=8"),
        (["image=PICTURE", "occlusion.fill=2"], "occlusion.fill=2 must be a number from 0 to 1"),
        (["image=PICTURE", "measure=logit"], "measure=logit must be score, probability, log_probability or null"),
        (["image=PICTURE", "measure=probability", "target=filter:conv1_1:0"], "only classes have a probability"),
        (["image=PICTURE", "steps=-1"], "steps=-1 must be a whole number"),
    ],
    ids=lambda given: given if isinstance(given, str) else given[-1],
)
def test_bad_input_is_one_line(tmp_path, words, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no picture")
    places = {"EMPTY": tmp_path / "empty", "TEXT": tmp_path / "text.png", "PICTURE": picture(tmp_path / "p" / "a.png")}
    for name, path in places.items():
        words = [word.replace(name, str(path)) for word in words]
    with pytest.raises(UserError, match=says) as error:
        run(tmp_path, *words)
    assert len(str(error.value)) < 300


def test_auto_is_chosen_without_a_target(monkeypatch):
    """And by the target, where there is one."""
    monkeypatch.setattr(default_classifier, "fetch", lambda entry, architecture: None)
    for words, problem in (([], None), (["target=top1"], None), (["target=class:nonsense"], "nonsense")):
        config = configuration.compose("explain", ["image=x.png", *words])
        ExplainSettings.check(config)
        if problem is None:
            default_classifier.choose(config)
            assert "otherwise" not in config.classifier
        else:
            with pytest.raises(UserError, match=problem):
                default_classifier.choose(config)


def test_a_page_has_the_strongest_filters_and_the_neighbours(tmp_path):
    file = picture(tmp_path / "photos" / "a.png")
    picture(tmp_path / "photos" / "b & <b>.png", 1)
    words = ["method=gradcam", "target=top1", "steps=0", "checked=0", f"data={tmp_path}/photos", "neighbours=2"]
    words += ["filters=2", "generator=pixels", "updates=2", f"paths.checkpoints={tmp_path}/checkpoints"]
    assert run(tmp_path, f"image={file}", *words) == 0
    folder = tmp_path / "outputs" / "explain" / "small" / "top1" / "a"
    page = (folder / "report.html").read_text()
    assert "The filters of relu5_2 that contribute most" in page
    assert len(list((folder / "report").glob("filter-*.png"))) == 2
    assert len(list((tmp_path / "outputs" / "small").glob("pixels*/filter-relu5_2-*/final.png"))) == 2
    assert not list((tmp_path / "outputs" / "small").glob("*-a/*"))  # their runs do not depend on the picture
    assert (folder / "report" / "nearest-02.png").exists()
    assert "b &amp; &lt;b&gt;.png" in page
    assert "<b>.png" not in page


def test_filters_that_are_selected_are_explained_by_a_layer_before_them(tmp_path):
    file = picture(tmp_path / "photos" / "a.png")
    words = ["method=gradcam,cam", "target=filter:relu3_1:top2:jigsaw-puzzle", "steps=0", "checked=0"]
    assert run(tmp_path, f"image={file}", *words, f"pictures={tmp_path}/photos") == 0
    (folder,) = (tmp_path / "outputs" / "explain" / "small").iterdir()
    assert folder.name.startswith("filter-relu3_1-")
    assert np.load(folder / "a" / "gradcam.npy").any()


def test_one_of_several_that_is_not_there_is_told_at_once(tmp_path):
    file = picture(tmp_path / "photos" / "a.png")
    with pytest.raises(UserError, match="no such file"):
        run(tmp_path, f"image=[{file},{tmp_path}/b.png]", "method=saliency")


def test_a_signal_ends_it_with_the_training_of_a_filter(tmp_path, monkeypatch):
    ended = Generated(128 + signal.SIGTERM, tmp_path / "final.png")
    monkeypatch.setattr(picture_report, "generated", lambda config, target: ended)
    file = picture(tmp_path / "photos" / "a.png")
    with pytest.raises(EndedError) as error:
        run(tmp_path, f"image={file}", "target=top1", "method=saliency", "steps=0", "checked=0", "filters=2")
    assert error.value.signal == signal.SIGTERM
