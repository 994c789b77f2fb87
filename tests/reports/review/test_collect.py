import os

import pytest
from made_up import make_run

from genviz.errors import UserError
from genviz.reports.review.collect import collect, natural, told


def test_finished_runs_are_found_and_the_rest_is_named(tmp_path):
    for target in ("class:b", "class:a", "filter:relu10:1", "filter:relu2:1"):
        make_run(tmp_path, target, folder=target.replace(":", "-"))
    make_run(tmp_path, "class:a", setting="embedded/other")
    make_run(tmp_path, folder="class-aside~1")
    make_run(tmp_path, setting="embedded/small~2")
    (make_run(tmp_path, "class:half") / "result.json").unlink()
    (make_run(tmp_path, "class:broken") / "result.json").write_text("{")
    pretrained = tmp_path / "pretrain" / "mine"
    pretrained.mkdir(parents=True)
    (pretrained / "result.json").write_text('{"psnr": 23.5}')
    (tmp_path / "embedded" / "small" / "sheet.png").write_bytes(b"")
    (tmp_path / "invert" / "table").mkdir(parents=True)
    wandb = tmp_path / "embedded/small/class-a/wandb/offline-run-1/files"
    wandb.mkdir(parents=True)
    (wandb / "config.yaml").write_text("")
    runs, left_out = collect(tmp_path)
    assert [(run.setting, run.folder.name) for run in runs] == [
        ("embedded/other", "class-a"),
        ("embedded/small", "class-a"),
        ("embedded/small", "class-b"),
        ("embedded/small", "filter-relu2-1"),
        ("embedded/small", "filter-relu10-1"),
    ]
    assert left_out == [
        ("embedded/small/class-broken", "with a damaged result.json"),
        ("embedded/small/class-half", "unfinished"),
        ("pretrain/mine", "of no target"),
    ]


def test_a_folder_below_the_root_knows_its_setting(tmp_path, monkeypatch):
    folder = make_run(tmp_path)
    for root in (tmp_path, tmp_path / "embedded", folder.parent, folder):
        assert [run.setting for run in collect(root).runs] == ["embedded/small"]
    monkeypatch.chdir(folder.parent)
    assert [run.setting for run in collect(type(tmp_path)(".")).runs] == ["embedded/small"]


def test_a_link_that_leads_round_is_left_in_the_end(tmp_path):
    make_run(tmp_path)
    (tmp_path / "embedded" / "round").symlink_to(tmp_path)
    assert len(collect(tmp_path).runs) < 5


def test_a_folder_without_anything_finished_is_an_error_of_one_line(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        collect(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no finished run in it; genviz train"):
        collect(tmp_path)
    (make_run(tmp_path) / "result.json").unlink()
    with pytest.raises(UserError, match=r"no finished run in it; 1 unfinished \(embedded/small/class-harmonica\)"):
        collect(tmp_path)


def test_what_is_left_out_is_told_by_its_reason():
    left_out = [(f"folder{number}", "unfinished") for number in range(1234)] + [("x", "of no target")]
    assert told(left_out) == "1,234 unfinished (folder0, folder1, folder2, …); 1 of no target (x)"


def test_names_sort_as_people_do():
    names = ["relu10:2", "relu2:10", "relu2:9", "Ⅷ", "٣", "relu", ""]
    assert sorted(names, key=natural) == ["", "relu", "relu2:9", "relu2:10", "relu10:2", "٣", "Ⅷ"]


def test_what_cannot_be_followed_hides_nothing_beside_it(tmp_path):
    make_run(tmp_path)
    (tmp_path / "itself").symlink_to("itself")
    assert len(collect(tmp_path).runs) == 1


@pytest.mark.parametrize("file", ["result.json", "final.png", "metrics.csv", "config.yaml"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path, file):
    make_run(tmp_path)
    path = make_run(tmp_path, "class:other") / file
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert len(collect(tmp_path).runs) == 1 + (file in ("metrics.csv", "config.yaml"))
