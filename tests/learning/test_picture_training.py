from genviz.learning.picture_training import counted


def test_one_is_singular():
    assert [counted(count, "run") for count in (0, 1, 2, 2000)] == ["0 runs", "1 run", "2 runs", "2,000 runs"]
