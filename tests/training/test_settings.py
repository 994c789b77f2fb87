import pytest

from genviz.errors import UserError
from genviz.training.settings import TrainSettings


def test_a_sweep_starts_over_in_folders_of_its_own(compose):
    """Checkpoints lie below a root of their own, from which another ``paths.outputs`` would continue."""
    config = compose("targets=class:0-3", "classifier=small", "resume=false")
    with pytest.raises(UserError, match=r"tag=NAME, or another paths\.outputs and paths\.checkpoints, or target=NAME"):
        TrainSettings.check(config)
