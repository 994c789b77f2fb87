from made_up import make_run

from genviz.reports.review.collect import collect
from genviz.reports.review.targets import by_target


def test_classes_are_in_the_classifiers_order_and_come_first(tmp_path):
    for target in ("class:zebra", "class:264", "layer:relu4_3", "filter:relu2_1:10", "filter:relu2_1:9", "class:tench"):
        make_run(tmp_path, target)
    make_run(tmp_path, "class:zebra+lemon")
    targets = by_target(collect(tmp_path).runs)
    assert [target.name for target in targets] == [
        *("class:tench", "class:264", "class:zebra", "class:zebra+lemon"),
        *("filter:relu2_1:9", "filter:relu2_1:10", "layer:relu4_3"),
    ]
    assert [target.number for target in targets] == [0, 264, 340, 340, None, None, None]
    assert targets[1].title == "class:264 Cardigan"
    assert targets[2].title == "class:zebra"
    assert [target.wanted for target in targets[1:5]] == [("Cardigan", 264), ("zebra", 340), None, None]


def test_the_runs_of_a_target_are_together(tmp_path):
    for setting in ("embedded/pretrained", "embedded/untrained"):
        make_run(tmp_path, setting=setting)
    make_run(tmp_path, setting="embedded/untrained", folder="class-harmonica-copy")
    first, second = by_target(collect(tmp_path).runs)
    assert (first.name, list(first.runs)) == ("class:harmonica", ["embedded/pretrained", "embedded/untrained"])
    assert (second.name, list(second.runs)) == ("class:harmonica (class-harmonica-copy)", ["embedded/untrained"])


def test_labels_of_ones_own(tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\nzebra\n")
    for target in ("class:zebra", "class:0"):
        units = [{"unit": target, "weight": 1.0, "activation": 1.0, "rank": 1, "of": 2}]
        config = make_run(tmp_path, target, units=units) / "config.yaml"
        config.write_text(config.read_text().replace("labels: null", f"labels: {labels}"))
    targets = by_target(collect(tmp_path).runs)
    assert [(target.number, target.label) for target in targets] == [(0, "cat"), (1, "zebra")]
    labels.unlink()  # what is known already is not read again
    for path in tmp_path.rglob("config.yaml"):
        path.write_text(path.read_text().replace("labels.txt", "gone.txt"))
    targets = by_target(collect(tmp_path).runs)
    assert [(target.number, target.label) for target in targets] == [(0, ""), (None, "zebra")]
