import pytest
from click.testing import CliRunner

from genviz.commands import configured
from genviz.errors import UserError

WHOLE = "command:\n  help: Do it.\n  settings: a.B\n  run: a.b\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must say help:"), ("a: [", "cannot be read"), ("command: text", "must say help:"),
        (WHOLE.replace("  run: a.b\n", ""), "must say run:"), (WHOLE.replace("Do it.", "[a, b]"), "must say help:"),
        (WHOLE.replace("  settings: a.B\n", ""), "must say settings:"), ("command:\n", "must say help:"),
    ],
)  # fmt: skip
def test_a_file_that_says_no_command_leaves_the_others(tmp_path, monkeypatch, text, says):
    (tmp_path / "good.yaml").write_text(WHOLE)
    (tmp_path / "odd.yaml").write_text(text)
    (tmp_path / "base.yaml").write_text("hydra: {}\n")
    monkeypatch.setattr(configured, "shipped_folder", lambda name: tmp_path)
    good, odd = configured.configured()
    assert (good.name, good.run, good.settings) == ("good", "a.b", "a.B")
    assert "Cannot be used" in odd.help
    done = CliRunner().invoke(odd, ["x=1", "--help"])
    assert isinstance(done.exception, UserError)
    assert says in str(done.exception)
    assert "odd.yaml" in str(done.exception)


@pytest.mark.parametrize("what", ["settings", "run"])
def test_what_cannot_be_imported_is_one_line(called, monkeypatch, what):
    from genviz.commands.main import genviz

    monkeypatch.setattr(genviz.commands["train"], what, "genviz.nowhere.Nothing")
    done = called("train", "target=class:1", "classifier=small")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"command.{what}=genviz.nowhere.Nothing cannot be imported: No module named" in done.stderr
