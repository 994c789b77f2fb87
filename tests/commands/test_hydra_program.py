"""What the command line takes, and what it says of what it cannot take."""

import json
import subprocess
import sys
import time
from signal import SIGTERM

import pytest
from conftest import ROOT, TINY
from noisy_pictures import noise
from PIL import Image
from user import SECONDS, WORDS, command, environment, train

from genviz import __version__
from genviz.commands.hydra_program import switched
from genviz.generators.maco import Maco
from genviz.training.signals import EndedError

SMALL = [word for word in TINY if not word.startswith("classifier")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "say what should fire"),
        (["target="], "empty"),
        (["target=593"], "class:593"),
        (["target=class:a,class:b"], "contains ','"),
        (["target=class:{a}"], "contains '{'"),
        (["target=[class:a"], "contains '['"),
        (["target=a=b"], "contains '='"),
        (["target=class:${oc.env:HOME}"], "contains"),
        (["target=class:harmonika"], "harmonica (class:593)"),
        (["target=class:cardigan"], "class:264"),
        (["target=filter:relu9_9:1"], "genviz layers"),
        (["target=class:1", "classifier=resnt50"], "resnet50"),
        (["target=class:1", "classifier.architecture=bad name"], "no classification model"),
        (["target=class:1", "experiment=nope"], "despraz2017"),
        (["target=class:1", "no_such_setting=1"], "no_such_setting"),
        (["target=class:1", "x=("], "x=("),
        (["target=class:1", "classifier=embedded", "generator=maco", "generator.weights=/no"], "there is no spectrum"),
        (["target=class:1", "updates=abc"], "updates=abc"),
        (["target=class:1", "classifier.weights=/nowhere.pth"], "there is no weights file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(called, tmp_path, words, says):
    done = called("train", *words)
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines), done.stdout) == (2, 1, ""), done.stderr
    assert says in lines[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["target=class:harmonika"], "harmonica (class:593)"),  # before Lightning is imported
        (["target=class:1", "classifier.weights=/nowhere.pth"], "there is no weights file"),  # and after
        (["target=class:1", "x=("], "x=("),  # Hydra's own
    ],
)
def test_so_it_is_of_a_program_that_a_user_starts(tmp_path, words, says):
    done = train(tmp_path, *words)
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines), done.stdout) == (2, 1, ""), done.stderr
    assert says in lines[0]
    assert lines[0].startswith("train.py: ")
    assert not list(tmp_path.iterdir())


NO_NETWORK = dict.fromkeys(("https_proxy", "http_proxy"), "http://127.0.0.1:9")  # nobody there


def test_without_weights_or_a_network_vgg16_says_the_ways_on_within_seconds(tmp_path, called, monkeypatch):
    for name, value in {**NO_NETWORK, "TORCH_HOME": str(tmp_path / "hub")}.items():
        monkeypatch.setenv(name, value)
    begin = time.monotonic()
    done = called("train", "target=class:harmonica", "classifier=vgg16")
    assert time.monotonic() - begin < 20  # a start's imports are not in it
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    for part in ("vgg16-397923af.pth", "528 MB", str(tmp_path)[:16], "classifier.weights=random"):
        assert part in done.stderr


@pytest.mark.slow
def test_without_weights_or_a_network_the_default_is_the_embedded_network_and_nobody_can_miss_it(tmp_path):
    words = ["target=class:harmonica", "trainer.accelerator=cpu", "updates=2"]
    done = train(tmp_path, *words, **NO_NETWORK, TORCH_HOME=str(tmp_path / "hub"))
    assert done.returncode == 0, done.stderr
    begins, ends = (position for position, line in enumerate(done.stdout.splitlines()) if line.startswith("!!! "))
    assert begins < 4 < ends
    note = next(line for line in done.stdout.splitlines() if line.startswith("!!! ")).removeprefix("!!! ")
    for part in ("not all of vgg16", "its own convolutions", "vgg16-397923af.pth", "528 MB", str(tmp_path / "hub")):
        assert part in note
    folder = tmp_path / "outputs/embedded/pretrained_views/class-harmonica"
    result = json.loads((folder / "result.json").read_text())
    assert (result["classifier"], result["note"]) == ("embedded", note)
    written = Image.open(folder / "final.png").text
    assert (written["classifier"], written["note"]) == ("embedded", note)
    logged = next(folder.glob("wandb/offline-run-*/*.wandb")).read_bytes()
    assert b"embedded/pretrained_views" in logged
    assert b"not all of vgg16" in logged


def test_by_name_the_embedded_network_needs_no_excuse(called):
    done = called("train", "target=class:harmonica", "classifier=embedded", *SMALL, "updates=1", "logger=none")
    assert done.returncode == 0, done.stderr
    assert "!!!" not in done.stdout
    says = "layers up to pool5 are VGG16's; class scores by 4 heads distilled from EfficientNet-Lite0"
    assert f"coupled to embedded ({says})" in done.stdout


def test_help_shows_how(tmp_path):
    done = train(tmp_path, "--help")
    assert done.returncode == 0
    for part in (
        "genviz train target=class:harmonica",
        "classifier: ",
        "despraz2017",
        "updates=300",
        "genviz labels",
    ):
        assert part in done.stdout


def test_a_spectrum_is_measured_and_used(called, tmp_path):
    (tmp_path / "photos").mkdir()
    for number, side in enumerate((64, 50, 20)):
        noise((side, 70), 40, number).convert("RGB").save(tmp_path / "photos" / f"{number}.png")
    file = tmp_path / "mine.safetensors"
    done = called("spectrum", str(tmp_path / "photos"), str(file), "--size", "48")
    assert done.returncode == 0
    assert f"{file}: mean of 2 pictures (left out as too small or damaged: 1)" in done.stdout
    assert Maco(size=(20, 20), weights=str(file))().images.shape == (1, 3, 20, 20)


@pytest.mark.parametrize(
    ("words", "says"),
    [(["/nowhere", "a.safetensors"], "there is no such folder"), ([".", "a.safetensors"], "no picture in it"),
     (["{photos}", "a.safetensors"], "none of the 1 pictures"), (["{photos}", "a", "--size", "9"], "even number")],
)  # fmt: skip
def test_no_spectrum_is_one_line_and_exit_code_2(called, tmp_path, words, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "photos" / "a.png")
    words = [word.format(photos=tmp_path / "photos") for word in words]
    done = called("spectrum", *words, folder=tmp_path / "empty")
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "empty").iterdir())


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_bad_target(tmp_path):
    words = ["-m", "target=class:harmonica,class:nonsense,class:zebra", *TINY, "updates=1", "logger=none"]
    done = train(tmp_path, *words)
    assert done.returncode == 2
    assert "no class is called 'nonsense'" in done.stderr
    assert len(list(tmp_path.rglob("result.json"))) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "outputs"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["classifier.weights=5"], "classifier.weights=5 is unknown for squeezenet1_1"),
        (["classifier.weights=null"], "classifier.weights=None must be a name"),
        (["classifier.input_size=[64,0]"], "classifier.input_size=[64, 0] must be a number of pixels"),
        (["classifier.labels=5"], "cannot read the labels in 5"),
        (["trainer=null"], "trainer=null: name one"),
        (["optimizer=null"], "optimizer=null: name one"),
        (["paths.outputs=null"], "paths.outputs=null must be a folder"),
        (["transform.views.rotate=-5"], "transform: rotate and shift are the largest either way: 0 to 360 degrees"),
        (["trainer.devices=2"], "trainer.devices=2: a single target is made on 1 device"),
        (["trainer.precision=bf16-true"], "trainer.precision=bf16-true must be auto"),
        (["generator=pixels", "generator.size=[-1,5]"], "generator.size=[-1, 5] must be rows and columns"),
    ],
)
def test_settings_of_another_kind_are_one_line(called, words, says):
    tiny = [word for word in TINY if not any(word.split("=")[0] == given.split("=")[0] for given in words)]
    kept = [word for word in tiny if "generator=pixels" not in words or not word.startswith("generator.")]
    done = called("train", "target=class:harmonica", *kept, *words, "updates=1", "logger=none")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith(f"genviz train: {says}")


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit")
@pytest.mark.slow
def test_a_full_disk_is_one_line(tmp_path):
    limited = ["bash", "-c", 'ulimit -f 60; exec "$@"', "bash", *command(*WORDS, "logger=none")]
    done = subprocess.run(limited, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot write" in done.stderr.replace("\r", "\n").splitlines()[-1]
    assert not list((tmp_path / "checkpoints").rglob("*.ckpt"))


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    command = f"{sys.executable} {ROOT}/train.py --help | head -n 1"
    done = subprocess.run(
        command,
        shell=True,
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("Train a generator")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--helpp"], "there is no option --helpp"),
        (["target=class:1", "--flag"], "there is no option --flag"),
        (["target=class:1", "--config-dir"], "--config-dir needs a value after it"),
    ],
)
def test_an_unknown_option_is_one_line(called, words, says):
    done = called("train", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"genviz train: {says}")


def test_options_may_stand_anywhere(called, tmp_path):
    words = ["target=class:harmonica,class:zebra", "-m", *TINY, "updates=1", "logger=none"]
    assert called("train", *words).returncode == 0
    assert len(list(tmp_path.rglob("result.json"))) == 2
    (tmp_path / "own/objective").mkdir(parents=True)
    (tmp_path / "own/objective/mine.yaml").write_text("mine:\n  _target_: a.B\n  depth: 7\n")
    done = called("train", "objective=mine", "--config-dir", "own", "--help")
    assert done.returncode == 0, done.stderr
    assert "depth: 7" in done.stdout
    assert called("train", "-m", "--help").stdout == called("train", "--help").stdout


def test_the_version_is_genvizs(called):
    assert called("train", "--version").stdout == f"genviz train {__version__}\n"


def test_a_wrong_setting_does_not_wait_for_torch(tmp_path):
    code = """
import sys
from genviz.commands.main import main
sys.argv = ["train.py", "target=class:1", "updates=-1"]
try:
    main("train", called="train.py")
finally:
    print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=SECONDS)
    assert (done.returncode, done.stdout) == (2, "False\n")


def test_a_switch_may_be_written_as_a_flag():
    from genviz.adversarial.examples.settings import FoolSettings

    words = ["--sweep", "image=a.png", "--cfg", "job", "--epsilon"]
    assert switched(words, FoolSettings) == ["sweep=true", "image=a.png", "--cfg", "job", "--epsilon"]


@pytest.mark.parametrize(("error", "how"), [(KeyboardInterrupt(), "interrupted"), (EndedError(SIGTERM), "SIGTERM")])
@pytest.mark.parametrize(("word", "without"), [("resume=true", ""), ("resume=false", " without resume=false")])
def test_the_command_that_continues_does_not_start_over(called, monkeypatch, error, how, word, without):
    def ends(config):
        raise error

    monkeypatch.setattr("genviz.training.default_classifier.choose", ends)
    done = called("train", "target=class:harmonica", *TINY, word)
    assert done.stderr == f"genviz train: {how}; the same command{without} continues\n"
