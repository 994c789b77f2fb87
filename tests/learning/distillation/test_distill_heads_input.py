"""What distill.py student=heads says of what it cannot take."""

import shutil
from types import SimpleNamespace

import pytest
from user_heads import WORDS, command, make_photos


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("photos"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["student.heads=[]"], "student.heads is empty"),
        (["student.heads=nowhere.safetensors"], "there is no file nowhere.safetensors"),
        (["student.heads=[4]"], "student.heads is a list of heads"),
        (["student.heads=[{width: 4}]"], "student.heads[0] has no setting width; a head has hidden, kernel"),
        (["student.heads=[{hidden: many}]"], "whole numbers above 0"),
        (["student.heads=[{share: 3}]"], "heads[0].share=3 must be a share"),
        (["student.heads=[{share: a}]"], "student.heads[0].share=a must be a share from 0 to 1"),
        (["student.heads=[{},{seed: 1.5}]"], "student.heads[1].seed=1.5 must be a whole number, or null"),
        (["student.heads=[{feature_noise: a}]"], "student.heads[0].feature_noise=a must be a number from 0 up"),
        (["student.layers=[fire99]"], "the trunk has no maps fire99"),
        (["student.layers=fire9"], "student.layers is a list"),
        (["student.heads=default"], "stand on pool5 of vgg16 (sha256 4519bf03), not on fire9 of squeezenet1_1"),
        (["student.trunk=small"], "heads need one of torchvision's networks"),
        (["student.trunk=auto"], "student.trunk=auto depends on the machine"),
        (["second_teacher=auto"], "second_teacher=auto depends on the machine"),
        (["distillation.sizes=[4]"], "4 x 4 pixels are too small"),
        (["distillation.sizes=224"], "distillation.sizes=224 must be a list of pixels, such as [112,128,160]"),
        (["distillation.swap=a"], "distillation.swap=a must be a number"),
        (["distillation.swap=2"], "swap=2 must be a share"),
        (["distillation.hints={relu3_2: fire4}"], "hints"),
        (["data.crops=0"], "crops=0 must be null or a whole number from 1"),
        (["data.chunk=none"], "chunk=none must be a whole number"),
        (["data.bank=[3]"], "data.bank=[3] must be a folder"),
        (["teacher=efficientnet_lite0", "teacher.weights=null"], "comes without weights"),
        (["teacher=module", "teacher.builder=nowhere:f", "teacher.weights=random"], "pip install nowhere"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(called, tmp_path, photos, words, says):
    group = words[0].partition("=")[0]
    kept = [word for word in WORDS if not word.startswith((f"{group}.", f"{group}="))]  # another has other settings
    done = called("distill", f"data.root={photos}", *kept, *words)
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines)) == (2, 1), done.stderr
    assert says in lines[0]
    assert not list(tmp_path.glob("outputs"))


def test_a_bank_that_there_is_no_room_for_is_one_line(called, photos, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    done = called("distill", *command(photos)[2:])
    assert done.returncode == 2
    assert "GB left; give another place, data.bank=FOLDER" in done.stderr
