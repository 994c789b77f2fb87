"""Claims: the locks that keep other processes out of a folder."""

import pytest

from genviz.training.run_folders import TakenError, claim, claimed


def test_a_folder_is_claimed_by_one_process(tmp_path):
    with (
        claimed(tmp_path / "tiny", apart="name=NAME"),
        pytest.raises(TakenError, match="keep both with name=NAME"),
        claimed(tmp_path / "tiny", apart="name=NAME"),
    ):
        pass
    with claimed(tmp_path / "tiny", apart="name=NAME"):
        pass


@pytest.mark.parametrize("what", ["folder", "broken link"])
def test_what_is_in_the_place_of_a_lock_is_set_aside(tmp_path, what, capsys):
    path = tmp_path / "class-tench.lock"
    path.mkdir() if what == "folder" else path.symlink_to("/proc/none/nowhere")
    held = claim(path)
    assert held is not None
    with held:
        assert "is kept as class-tench.lock~1" in capsys.readouterr().err
