"""Every fifth layer of architectures of torchvision, timm and transformers; `benchmarks/architectures.py` takes all."""

import importlib.util

import pytest
from conftest import ROOT

_SPEC = importlib.util.spec_from_file_location("architectures", ROOT / "benchmarks" / "architectures.py")
architectures = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(architectures)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["squeezenet1_1", *(pytest.param(n, marks=pytest.mark.campaign) for n in ("swin_t", "convnext_tiny", "vit_b_32"))],
)
def test_a_filter_of_every_layer_trains_its_own_channel(name):
    assert not list(architectures.faults(*architectures.networks()[name], every=5))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViTForImageClassification", "SwinForImageClassification"])
def test_and_of_transformers(name):
    pytest.importorskip("transformers")
    assert not list(architectures.faults(*architectures.networks()[name], every=5))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timm convnext_atto", "timm mixer_s32_224"])
def test_and_of_timm(name):
    pytest.importorskip("timm")
    assert not list(architectures.faults(*architectures.networks()[name], every=10))
