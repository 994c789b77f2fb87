import platform
import subprocess
import sys

import pytest

FAULTS = """
import ctypes, resource, sys
import torch
from genviz.training.allocator import keep_freed_memory

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: huge pages would be counted as small ones
if "kept" in sys.argv:
    keep_freed_memory()
numbers = int(float(sys.argv[1]) * 2**20) // 4
for _ in range(5):  # the heap grows
    torch.ones(numbers), torch.ones(numbers)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(numbers), torch.ones(numbers)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * resource.getpagesize() / 2**20)
"""
REFUSED = "import ctypes, sys; sys.exit(not ctypes.CDLL(None).mallopt(-3, 2**28))"


def faulted(mebibytes, *words):
    """MiB of new pages for ten times two tensors of that many."""
    command = [sys.executable, "-c", FAULTS, str(mebibytes), *words]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
@pytest.mark.parametrize("mebibytes", [24, 100])  # below and above what glibc gives back at once
def test_what_an_update_frees_costs_the_next_no_new_pages(mebibytes):
    if mebibytes > 32 and subprocess.run([sys.executable, "-c", REFUSED], check=False).returncode:
        pytest.skip("this glibc returns every large tensor to the system")
    assert faulted(mebibytes, "kept") < 0.1 * 20 * mebibytes


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries need not")
def test_glibc_gives_large_tensors_back_if_it_is_not_asked():
    assert faulted(100) > 0.9 * 20 * 100
