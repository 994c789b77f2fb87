"""The script for a card, on what is there."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT
from user import SECONDS, environment


@pytest.mark.parametrize("words", [["--only", "fourier_views, 32"], pytest.param([], marks=pytest.mark.campaign)])
@pytest.mark.slow
def test_it_measures_all_that_it_says(tmp_path, words):
    command = [sys.executable, str(ROOT / "benchmarks/gpu.py"), "--tiny", "--out", str(tmp_path / "gpu.json"), *words]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "gpu.json").read_text())
    assert {"device", "torch", "seconds", "card and CPU differ by"} <= told.keys()
    rows = told["rows"]
    assert len(rows) == (1 if words else 5)
    for row in rows:
        assert told[f"waits, {row['case']}"] == "never"
        for name in ("bare fp32", "bare tf32", "bare bf16", "genviz", "genviz, begin", "genviz, end"):
            assert row[name] > 0
        assert row["genviz / bare bf16"] == pytest.approx(row["genviz"] / row["bare bf16"])
        assert f"| {row['case']} |" in done.stdout
