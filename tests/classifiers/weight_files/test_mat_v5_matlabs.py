"""Files that MATLAB 5.3 to 7.4 wrote on three machines, which come with scipy, against scipy's reader."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io.matlab
import scipy.sparse

from genviz.classifiers.weight_files import mat_hdf5, mat_v5

DATA = Path(scipy.io.matlab.__file__).parent / "tests" / "data"
OLDER = "not a MATLAB file"
UNLIKE = {
    "bad_miuint32.mat": "but 10 values",
    "bad_miutf8_array_name.mat": None,
    "corrupted_zlib_checksum.mat": "compression is damaged",
    "corrupted_zlib_data.mat": None,
    "malformed1.mat": "cut off",
    "nasty_duplicate_fieldnames.mat": None,
}
"""Damaged files, which scipy refuses or reads otherwise; None: read here, as nothing that is needed is damaged."""


def _paths():
    return sorted(path for path in DATA.glob("*.mat") if not mat_hdf5.is_hdf5(path))


def _alike(own, scipys):
    """Whether our value is what scipy reads; what is no array, struct, cell or text is None here."""
    if own is None:
        is_array = isinstance(scipys, np.ndarray) and not isinstance(scipys, scipy.io.matlab.MatlabFunction)
        return scipy.sparse.issparse(scipys) or not is_array or scipys.dtype.kind == "c"
    if isinstance(own, str):
        return scipys.dtype.kind == "U" and (scipys.size != 1 or scipys.item().rstrip() == own.rstrip())
    if isinstance(own, dict) and scipys.dtype.names is None:
        return not own and scipys.size <= 1
    if isinstance(own, dict):
        return own.keys() == set(scipys.dtype.names) and all(_alike(own[n], scipys[n].item()) for n in own)
    if isinstance(own, list):
        parts = [np.array(part) if isinstance(part, np.void) else part for part in scipys.flatten(order="F")]
        return len(own) == len(parts) and all(_alike(one, part) for one, part in zip(own, parts, strict=True))
    return own.size == scipys.size and np.array_equal(own.ravel(), scipys.ravel())


@pytest.mark.skipif(not DATA.is_dir(), reason="this scipy comes without its tests")
def test_matlabs_own_files_are_read_as_scipy_reads_them():
    read = 0
    for path in _paths():
        try:
            own = mat_v5.read(path)
        except ValueError as error:
            why = UNLIKE.get(path.name, OLDER)
            assert why is not None, path
            assert why in str(error), (path, error)
            continue
        if path.name not in UNLIKE:
            scipys = scipy.io.loadmat(path)
            wanted = {name: value for name, value in scipys.items() if not name.startswith("__")}
            assert own.keys() - {""} == wanted.keys(), path
            assert all(_alike(own[name], value) for name, value in wanted.items()), path
            read += 1
    assert read > 60


@pytest.mark.skipif(not DATA.is_dir(), reason="this scipy comes without its tests")
def test_matlabs_own_file_of_version_7_3_is_read():
    found = mat_hdf5.read(DATA / "testhdf5_7.4_GLNX86.mat")
    assert found["testdouble"] == pytest.approx(np.arange(9)[None] * np.pi / 4)
