import csv
import json

from genviz.adversarial.universal.transfer import write_transfer


def made(root, network, how, **rates):
    folder = root / network / how
    folder.mkdir(parents=True)
    networks = {name: {"fooled": fooled, "pictures": 20} for name, fooled in rates.items()}
    (folder / "results.json").write_text(json.dumps({"classifier": network, "networks": networks}))


def test_a_row_for_each_perturbation_and_a_column_for_each_network(tmp_path):
    made(tmp_path, "a", "gradient-linf-10", a=15, b=10)
    made(tmp_path, "b", "gradient-linf-10", b=20, a=0)
    made(tmp_path, "c", "deepfool-linf-10", c=5)
    (tmp_path / "c/damaged").mkdir()
    (tmp_path / "c/damaged/results.json").write_text("{")
    with write_transfer(tmp_path).open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["made on", "how", "a", "b", "c"]
    assert [row[:2] for row in rows[1:]] == [
        ["a", "gradient-linf-10"], ["b", "gradient-linf-10"], ["c", "deepfool-linf-10"],
    ]  # fmt: skip
    assert rows[1][2:] == ["75.0% (53.1% to 88.8%)", "50.0% (29.9% to 70.1%)", ""]
    assert rows[2][2:4] == ["0.0% (0.0% to 16.1%)", "100.0% (83.9% to 100.0%)"]
    assert rows[3][2:4] == ["", ""]
