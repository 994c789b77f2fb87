"""Those of what is measured are in ``test_hydra_program.py``."""


def test_a_folder_that_is_not_there_is_named_as_the_help_has_it(called):
    done = called("spectrum", "nope", "mine.safetensors")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "FOLDER=nope: there is no such folder" in done.stderr
