"""A run whose picture stops being one."""

import json

import torch
from user import RUN, WORDS

from genviz.images.pictures import read_image
from genviz.objectives.activation import Activation


def test_a_diverged_run_keeps_the_last_sound_picture(tmp_path, called):
    words = [*WORDS, "logger=none", "optimizer=sgd", "optimizer.lr=1e30", "regularizer=none", "transform=none"]
    done = called("train", *words, "generator.output=standardized")
    assert done.returncode == 0
    result = json.loads((tmp_path / "outputs" / RUN / "result.json").read_text())
    assert result["verdict"] == "diverged"
    assert "diverged" in done.stdout
    assert "try a smaller optimizer.lr" in done.stdout
    (kept,) = (tmp_path / "outputs" / RUN / "snapshots").glob("*.png")
    final = read_image(tmp_path / "outputs" / RUN / "final.png")
    assert torch.equal(final, read_image(kept))
    assert final.std() > 0.05  # a picture, and not what becomes of nan
    assert not (tmp_path / "checkpoints" / RUN / "last.ckpt").exists()


def test_of_several_sound_pictures_it_keeps_the_last(tmp_path, called, monkeypatch):
    scored = Activation.forward
    monkeypatch.setattr(
        Activation, "forward", lambda self, seen: scored(self, seen) * (float("nan") if self.update == 3 else 1)
    )
    assert called("train", *WORDS, "logger=none", "snapshot_every=1", "checkpoint_every=1").returncode == 0
    outputs = tmp_path / "outputs" / RUN
    kept = sorted((outputs / "snapshots").glob("*.png"))
    assert [path.name for path in kept] == [f"{update:05d}.png" for update in range(4)]
    assert torch.equal(read_image(outputs / "final.png"), read_image(kept[3]))
    assert not torch.equal(read_image(outputs / "final.png"), read_image(kept[2]))
    state = torch.load(tmp_path / "checkpoints" / RUN / "last.ckpt", weights_only=True)
    assert state["global_step"] == 3
    assert all(value.isfinite().all() for value in state["state_dict"].values())


def test_a_picture_that_is_no_number_after_the_last_update_is_no_dead_target(tmp_path, called):
    words = [*WORDS, "logger=none", "updates=1", "optimizer=sgd", "optimizer.lr=1e38", "generator.output=standardized"]
    assert called("train", *words).returncode == 0
    result = json.loads((tmp_path / "outputs" / RUN / "result.json").read_text())
    assert result["verdict"] == "diverged"
