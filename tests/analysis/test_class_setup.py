import pytest
from noisy_pictures import noise

from genviz.analysis import class_setup
from genviz.analysis.class_setup import one_class, resolve
from genviz.errors import UserError
from genviz.training import build

WORDS = ["classifier=small", "classifier.input_size=64", "trainer.accelerator=cpu", "logger=none"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(3):
        noise((40, 30), 30 + 40 * number, number).convert("RGB").save(tmp_path / f"photos/{number}.png")
    return tmp_path / "photos"


def test_the_filters_take_their_place_in_the_configuration(compose, folder, tmp_path, capsys):
    asked = "filter:relu5_1:top3:window-screen@0.5+class:zebra"
    config = compose(f"target={asked}", f"pictures={folder}", *WORDS)
    resolve(config)
    target = build.target(config, build.sketch(config.classifier))
    assert [(unit.kind, unit.weight) for unit in target.units] == [("filter", 0.5)] * 3 + [("class", 1)]
    assert config.choices.asked_for == asked
    (line,) = capsys.readouterr().out.splitlines()
    numbers = "+".join(str(unit.index[0]) for unit in target.units[:3])
    assert line.startswith(f"filter:relu5_1:top3:window-screen is filter:relu5_1:{numbers}, which contribute ")
    assert "in the 3 of 3 pictures in" in line
    again = compose(f"target={asked}", f"pictures={folder}", *WORDS)
    resolve(again)
    assert again.target == config.target
    assert list(tmp_path.glob("outputs/seen/**/*.npy"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["target=filter:relu5_1:top999:zebra"], "relu5_1 has 192 filters, not 999"),
        (["target=filter:relu8:top1:zebra"], "relu8 has no filters"),
        (["target=filter:relu5_1:top1:zebar"], "no class is called 'zebar'"),
        (["target=filter:relu5_1:top1:zebra", "pictures=/nowhere"], "pictures=/nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_is_one_line_before_any_weights_are_loaded(compose, monkeypatch, tmp_path, words, says):
    monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    with pytest.raises(UserError, match=says):
        resolve(compose(*words, *WORDS))
    assert not (tmp_path / "outputs").exists()


def test_it_is_about_one_class(compose):
    outline = build.sketch(compose("target=class:1", *WORDS).classifier)
    assert one_class(compose("target=class:zebra", *WORDS), outline)[1] == 340
    for target in ("class:zebra+tiger", "filter:relu5_1:3"):
        with pytest.raises(UserError, match="give a single class, such as target=class:harmonica"):
            one_class(compose(f"target={target}", *WORDS), outline)


def test_a_training_of_the_strongest_filters_is_that_of_the_filters(called, tmp_path, folder):
    words = ["target=filter:relu5_1:top2:window-screen", f"pictures={folder}", "updates=2", "generator=fourier", *WORDS]
    done = called("train", *words)
    assert done.returncode == 0
    (picture,) = tmp_path.glob("outputs/small/fourier/*/final.png")
    text = done.stdout.split(" is ")[1].split(",")[0]
    assert picture.parent.name == text.replace(":", "-")
    config = picture.with_name("config.yaml").read_text()
    assert f"target: {text}\n" in config
    assert "asked_for: filter:relu5_1:top2:window-screen\n" in config


def test_auto_asks_whether_either_network_has_such_filters(monkeypatch, called):
    from genviz.training import default_classifier

    monkeypatch.setattr(default_classifier, "fetch", lambda *a: pytest.fail("fetched"))
    monkeypatch.setattr(class_setup, "looking", lambda config: pytest.fail("loaded"))
    done = called("train", "target=filter:relu9_9:top5:zebra")
    assert done.returncode == 2
    assert "no layer is called 'relu9_9'" in done.stderr
