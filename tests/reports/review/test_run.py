import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import data_of, make_run, result_of

from genviz.reports.review import write_review
from genviz.reports.review.run import NoRunError, read_run


def test_a_run_is_what_its_folder_tells(tmp_path):
    run = read_run(make_run(tmp_path, "class:zebra", size=(20, 10)), "embedded/small")
    assert (run.target, run.setting, run.picture, run.size) == ("class:zebra", "embedded/small", "final.png", (20, 10))
    [judged] = run.judged
    assert (judged.verdict, judged.activation, judged.rank) == ("recognised", 12.5, 1)
    assert judged.units[0][1:] == (1.0, 12.5, 1, 1000)
    assert judged.top_classes == [("harmonica", 593, 0.75)]
    assert judged.measures == {"score": 7.25}
    assert run.facts["weights_sha256"] == "ab" * 32
    assert run.facts["versions"] == "genviz 0.1.0, python 3.11"
    assert run.facts["seed"] == 0
    assert run.seconds_per_update == 0.125
    assert run.snapshots == [0, 25, 50]
    assert not run.has_video
    assert run.config.startswith("updates: 50\nclassifier:")


def test_several_pictures_are_judged_one_by_one(tmp_path):
    folder = make_run(tmp_path, images=[{"file": f"final-{n}.png", "verdict": f"v{n}", "rank": n} for n in (1, 2)])
    for number in (1, 2):
        (folder / f"final-{number}.png").write_bytes((folder / "final.png").read_bytes())
    run = read_run(folder, "s")
    assert [(one.file, one.verdict, one.rank) for one in run.judged] == [
        ("final-1.png", "v1", 1),
        ("final-2.png", "v2", 2),
    ]
    assert run.picture == "final.png"
    assert run.first.name == "final-1.png"


def test_a_long_curve_is_thinned_and_keeps_its_end(tmp_path):
    folder = make_run(tmp_path)
    rows = [f"{update},{update / 2}" for update in range(1, 12346)]
    (folder / "metrics.csv").write_text("\n".join(["update,activation", *rows, "12346,nan", "what,ever", "7"]))
    curve = read_run(folder, "s").curve
    assert 30 < len(curve) <= 50
    assert curve == sorted(curve)
    assert all(activation == update / 2 for update, activation in curve)
    assert curve[-1][0] > 12345 - 2 * 12345 / 30


@pytest.mark.parametrize("text", ["", "loss,score\n1,2\n", "update,activation\n", "\0\0\0"])
def test_metrics_without_a_curve(tmp_path, text):
    folder = make_run(tmp_path)
    (folder / "metrics.csv").write_text(text)
    assert read_run(folder, "s").curve == []


def test_what_was_no_number_is_none(tmp_path):
    units = [{"unit": "class:x", "rank": "first"}, "no unit"]
    folder = make_run(tmp_path, verdict="diverged", activation=float("nan"), rank=None, units=units, measures=[1])
    (folder / "config.yaml").unlink()
    run = read_run(folder, "s")
    judged = run.judged[0]
    assert (judged.activation, judged.rank, judged.remark) == (None, None, "diverged")
    assert judged.units == [("class:x", None, None, None, None)]
    assert (judged.measures, run.config) == ({}, "")


def test_a_remark_has_the_rank_where_it_is_not_reached(tmp_path):
    def remark(**changes):
        changes["folder"] = str(len(list(tmp_path.rglob("result.json"))))
        return read_run(make_run(tmp_path, **changes), "s").judged[0].remark

    assert remark() == "recognised"
    assert remark(verdict="not reached", rank=17) == "not reached, rank 17"
    assert remark(verdict="improved", rank=17) == "improved"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "damaged"),
        ('{"target": "class:x", "verd', "damaged"),
        ("\xff\xfe", "damaged"),
        ("[" * 100_000, "damaged"),
        ("[1, 2]", "of no target"),
        ('{"psnr": 23.5}', "of no target"),
        (json.dumps(result_of(" \n")), "of no target"),
        (json.dumps(result_of("class:x", verdict=3)), "of no target"),
    ],
)
def test_a_damaged_or_foreign_result_is_named(tmp_path, text, why):
    folder = make_run(tmp_path)
    (folder / "result.json").write_text(text, encoding="latin-1")
    with pytest.raises(NoRunError, match=why):
        read_run(folder, "s")


def test_a_picture_that_is_missing_or_damaged_is_named(tmp_path):
    folder = make_run(tmp_path, size=(60, 60))
    whole = (folder / "final.png").read_bytes()
    for broken in (whole[:-20], whole[:20], b""):
        (folder / "final.png").write_bytes(broken)
        with pytest.raises(NoRunError, match="with a damaged picture"):
            read_run(folder, "s")
    (folder / "final.png").unlink()
    with pytest.raises(NoRunError, match=r"without a final.png"):
        read_run(folder, "s")


def test_a_run_without_result_is_unfinished(tmp_path):
    folder = make_run(tmp_path)
    (folder / "result.json").unlink()
    with pytest.raises(NoRunError, match="unfinished"):
        read_run(folder, "s")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
REAL = {**result_of("class:x"), "images": [{**result_of("class:x"), "file": "final.png"}]}


@given(st.dictionaries(st.sampled_from(list(REAL)), anything), st.data())
@settings(max_examples=40, deadline=None, print_blob=True)
def test_whatever_a_result_says_the_page_is_written_or_it_is_left_out(said, data):
    changed = REAL | said
    for place in ("units", "top_classes", "images"):
        if place not in said:
            field = data.draw(st.sampled_from(list(REAL[place][0])))
            changed[place] = [REAL[place][0] | {field: data.draw(anything)}]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_run(root, "class:whole")
        (make_run(root, "class:x") / "result.json").write_text(json.dumps(changed))
        told = data_of(write_review(root))
    assert "class:whole" in {target["name"] for target in told["targets"]}
    assert (len(told["targets"]) == 2) != bool(told["left_out"])
