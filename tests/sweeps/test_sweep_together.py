"""Images that go through the networks together, as on a card, and those that go one by one, as on a CPU."""

import json

import pytest
import torch
from user_sweeps import FOLDERS, swept

from genviz.images.pictures import read_image

DOUBLE = ["trainer.precision=64-true", "updates=20", "snapshot_every=10", "batch=3", "median=1"]
GENERATORS = {
    "untrained": [],
    "untrained_moving": ["generator.statistics=moving", "generator.output=standardized", "regularizer=gamma_l1"],
    "pretrained": ["generator=pretrained", "optimizer.lr=0.1"],
    "pixels": ["generator=pixels", "generator.start=noise", "optimizer=adam"],
    "fourier": [
        "experiment=natural_views",
        "transform=[views,flip,colours,dropout]",
        "generator.size=[64,64]",
        "median=1",
    ],
}


def state(folder):
    saved = torch.load(folder.parents[3] / "checkpoints" / folder.relative_to(folder.parents[2]) / "last.ckpt")
    return saved["state_dict"]


MARKS = dict.fromkeys(("untrained", "untrained_moving", "pixels"), pytest.mark.slow) | {
    "pretrained": pytest.mark.campaign
}


@pytest.mark.parametrize(
    "words", [pytest.param(GENERATORS[name], id=name, marks=MARKS.get(name, ())) for name in GENERATORS]
)
def test_together_they_are_what_they_are_one_by_one(tmp_path, words):
    """After 20 updates in double precision, within 1e-9."""
    made = {}
    for together in ("true", "false"):
        code, made[together] = swept(tmp_path / together, *words, *DOUBLE, f"together={together}")
        assert code == 0
    for folder in FOLDERS:
        own, other = (state(made[together] / folder) for together in ("true", "false"))
        assert own.keys() == other.keys()
        for name in own:
            torch.testing.assert_close(own[name], other[name], rtol=1e-9, atol=1e-9)
        rows = [(made[together] / folder / "metrics.csv").read_text().splitlines() for together in ("true", "false")]
        assert len(rows[0]) == len(rows[1]) == 21
        for first, second in zip(rows[0][1:], rows[1][1:], strict=True):
            assert [float(n) for n in first.split(",")] == pytest.approx(
                [float(n) for n in second.split(",")], rel=1e-6
            )
        results = [json.loads((made[t] / folder / "result.json").read_text()) for t in ("true", "false")]
        assert results[0]["verdict"] == results[1]["verdict"]
        for name in ("final.png", "snapshots/00000.png", "snapshots/00010.png", "snapshots/00020.png"):
            pictures = [read_image(made[together] / folder / name) for together in ("true", "false")]
            assert (pictures[0] - pictures[1]).abs().max() < 1.5 / 255  # a rounding at most
        assert (made["true"] / folder / "evolution.mp4").stat().st_size > 500


@pytest.mark.campaign
def test_a_sweep_compiles_once_for_all_its_batches(tmp_path, capfd):
    words = ["generator=pixels", "generator.start=noise", "optimizer=adam", "batch=2", "together=true"]
    words += ["trainer.precision=64-true"]  # where a sum in another order cannot change a gradient's sign
    code, compiled = swept(tmp_path / "compiled", *words, "compile=true", targets="class:0-3")
    assert code == 0
    assert capfd.readouterr().err.count("compiled in") == 1
    code, plain = swept(tmp_path / "plain", *words, targets="class:0-3")
    assert code == 0
    assert "compil" not in capfd.readouterr().err
    for folder in plain.glob("class-*"):
        pictures = [read_image(made / folder.name / "final.png") for made in (compiled, plain)]
        assert (pictures[0] - pictures[1]).abs().max() < 1.5 / 255  # a rounding at most
