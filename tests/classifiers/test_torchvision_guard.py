import subprocess
import sys

import pytest


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_torchvision_works_after_genviz():
    code = "import genviz, torchvision; print(torchvision.models.alexnet(num_classes=2).classifier[-1].out_features)"
    done = run(code)
    assert done.stdout.strip() == "2", done.stderr


@pytest.mark.campaign
def test_the_schemas_are_declared_only_where_they_are_missing():
    code = """
import genviz, torchvision, torch
from genviz.classifiers import torchvision_guard as guard
declared = len(guard._declared)
guard.install()
print(len(guard._declared) == declared, hasattr(torch.ops.torchvision, "nms"))
assert torchvision.extension._has_ops() == (declared == 0)
"""
    done = run(code)
    assert done.stdout.strip() == "True True", done.stderr


def test_an_extension_that_loads_is_left_alone():
    code = """
import sys
from unittest import mock
import torch
from genviz.classifiers import torchvision_guard as guard
with mock.patch.object(torch.ops, "load_library", lambda path: None):
    guard._declare()
print(guard._declared)
"""
    assert run(code).stdout.strip() == "[]"


def test_torch_is_not_imported_before_it_is_needed():
    code = (
        "import sys, genviz, genviz.commands.main; print(sorted({'torch', 'hydra', 'torchvision'} & set(sys.modules)))"
    )
    assert run(code).stdout.strip() == "[]"
