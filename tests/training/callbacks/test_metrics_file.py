from genviz.training.callbacks.metrics_file import MetricsFile


def test_the_last_update_at_which_a_number_is_not_0(tmp_path):
    file = MetricsFile(tmp_path / "metrics.csv")
    assert file.last("activation") == 0
    for update, activation in enumerate([0.0, 2.0, 0.5, 0.0, 0.0], 1):
        file.add({"update": update, "activation": activation, "rank": 1})
    file.close()
    assert file.last("activation") == 3
    assert file.last("rank") == 5
    assert file.last("loss") == 0
