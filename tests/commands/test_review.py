import pytest
from made_up import make_run
from PIL import Image


@pytest.fixture
def command(called):
    def run(*words):
        done = called("review", *map(str, words))
        return done.returncode, done.stdout, done.stderr

    return run


def test_the_command_says_what_there_is_and_where(tmp_path, command):
    make_run(tmp_path, "class:tench")
    make_run(tmp_path, "class:zebra", verdict="not reached", rank=7)
    (make_run(tmp_path, "class:lemon") / "result.json").unlink()
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "photos" / "tench.jpg")
    code, out, err = command(tmp_path, "--pictures", tmp_path / "photos")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "2 targets in 1 setting: 1 recognised, 1 not reached",
        "left out: 1 unfinished (embedded/small/class-lemon)",
        "real pictures beside 1 target",
        f"page        {tmp_path}/index.html",
        f"table       {tmp_path}/index.csv",
        f"sheets      {tmp_path}/embedded/small/sheet-1.png",
    ]


def test_bad_input_is_one_line_and_code_2(tmp_path, command):
    (tmp_path / "file").touch()
    for words, said in (
        ([tmp_path / "nowhere"], "no such folder"),
        ([tmp_path / "file"], "no such folder"),
        ([tmp_path], "no finished run in it"),
    ):
        code, out, err = command(*words)
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1
    make_run(tmp_path)
    code, _, err = command(tmp_path, "--pictures", tmp_path / "nowhere")
    assert code == 2
    assert "--pictures" in err
    assert err.count("\n") == 1
