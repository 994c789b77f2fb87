"""A run whose picture stops being one."""

import json

import torch
from user import RUN, WORDS


def test_a_diverged_run_keeps_the_last_sound_picture(tmp_path, called):
    words = [*WORDS, "logger=none", "optimizer=sgd", "optimizer.lr=1e30", "regularizer=none", "transform=none"]
    done = called("train", *words, "generator.output=standardized")
    assert done.returncode == 0
    result = json.loads((tmp_path / "outputs" / RUN / "result.json").read_text())
    assert result["verdict"] == "diverged"
    assert "diverged" in done.stdout
    assert "try a smaller optimizer.lr" in done.stdout
    checkpoint = tmp_path / "checkpoints" / RUN / "last.ckpt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)["state_dict"]
        assert all(value.isfinite().all() for value in state.values())


def test_a_picture_that_is_no_number_after_the_last_update_is_no_dead_target(tmp_path, called):
    words = [*WORDS, "logger=none", "updates=1", "optimizer=sgd", "optimizer.lr=1e38", "generator.output=standardized"]
    assert called("train", *words).returncode == 0
    result = json.loads((tmp_path / "outputs" / RUN / "result.json").read_text())
    assert result["verdict"] == "diverged"
