import h5py
import numpy as np
import pytest
from classic_files import Cell, write_v73

from genviz.classifiers.weight_files import mat_hdf5


def test_structs_cells_text_and_arrays(tmp_path):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    layers = Cell([{"name": "conv1", "weights": Cell([array, np.ones((1, 4))])}, {"name": "relu1"}])
    params = [{"name": "a", "value": array}, {"name": "bc", "value": np.zeros((1, 2))}]
    write_v73(tmp_path / "x.mat", {"net": {"layers": layers, "params": params, "none": Cell()}})
    assert mat_hdf5.is_hdf5(tmp_path / "x.mat")
    net = mat_hdf5.read(tmp_path / "x.mat")["net"]
    assert [layer["name"] for layer in net["layers"]] == ["conv1", "relu1"]
    assert np.array_equal(net["layers"][0]["weights"][0], array)
    assert net["layers"][0]["weights"][0].dtype == np.float32
    assert [(one["name"], one["value"].shape) for one in net["params"]] == [("a", (2, 3, 4)), ("bc", (1, 2))]
    assert net["none"] == []


def _elsewhere(file, folder):
    file["x"] = h5py.ExternalLink("/etc/passwd", "/")


def _outside(file, folder):
    (folder / "secret").write_bytes(bytes(64))
    file.create_dataset("x", (8,), "f8", external=[(str(folder / "secret"), 0, 64)])


def _huge(file, folder):
    file.create_dataset("x", (1 << 20, 1 << 20), "f4", chunks=(1 << 10, 1 << 10))


def _expanding(file, folder):
    file.create_dataset("x", data=np.zeros(20 << 20, "f4"), chunks=(1 << 20,), compression="gzip")


def _circle(file, folder):
    cell = file.create_dataset("x", (1, 1), h5py.ref_dtype)
    cell[0, 0] = cell.ref


def _nowhere(file, folder):
    file.create_dataset("x", (1, 1), h5py.ref_dtype, chunks=(1, 1))


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (_elsewhere, "link to somewhere else"),
        (_outside, "in another file"),
        (_huge, "claims 4,398,046,511,104 bytes"),
        (_expanding, "claims 83,886,080 bytes"),
        (_circle, "structs deep"),
        (_nowhere, "leads nowhere"),
    ],
)
def test_what_could_do_harm_is_refused(tmp_path, write, says):
    with h5py.File(tmp_path / "x.mat", "w") as file:
        write(file, tmp_path)
    with pytest.raises(ValueError, match=says):
        mat_hdf5.read(tmp_path / "x.mat")


def test_what_many_references_lead_to_is_read_once(tmp_path):
    """Twenty cells, each twice in the next, would be a million."""
    with h5py.File(tmp_path / "x.mat", "w") as file:
        kept = file.create_group("#refs#")
        inner = kept.create_dataset("c0", data=np.ones((1, 1)))
        for number in range(1, 21):
            cell = (kept if number < 20 else file).create_dataset(f"c{number}", (2, 1), h5py.ref_dtype)
            cell.attrs["MATLAB_class"] = np.bytes_("cell")
            cell[0, 0] = cell[1, 0] = inner.ref
            inner = cell
    found = mat_hdf5.read(tmp_path / "x.mat")["c20"]
    assert found[0] is found[1]
