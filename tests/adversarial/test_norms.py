import pytest
from omegaconf import OmegaConf

from genviz.adversarial.norms import settle_norm


@pytest.mark.parametrize(
    ("given", "name"),
    [(float("inf"), "inf"), ("inf", "inf"), (2, "2"), (2.0, "2"), ("2", "2"), (True, True), ("l2", "l2")],
)
def test_what_hydra_reads_as_a_number_is_a_name(given, name):
    config = OmegaConf.create({"norm": given})
    settle_norm(config)
    assert config.norm == name
    settle_norm(OmegaConf.create({}))
