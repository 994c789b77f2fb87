import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import scipy.io

from genviz.classifiers.weight_files import mat_v5


def element(kind, content, order="<"):
    """A data element: its kind, its size, and its content up to a multiple of eight bytes."""
    return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(name, kind, shape, content, order="<"):
    """A matrix element of class ``kind``: flags, dimensions, name, and what it holds."""
    inside = element(6, struct.pack(f"{order}II", kind, 0), order)
    inside += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    return element(14, inside + element(1, name, order) + content, order)


def written(path, *elements, order="<"):
    mark = b"IM" if order == "<" else b"MI"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}H", 0x0100) + mark + b"".join(elements))
    return path


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_matrix_is_read_as_the_format_says(tmp_path, order):
    values = np.array([1.5, -2, 3, 4, 5, 6])
    path = written(
        tmp_path / "x.mat",
        matrix(b"half", 6, (2, 3), element(9, values.astype(f"{order}f8").tobytes(), order), order),
        matrix(b"bytes", 7, (1, 3), element(2, bytes([7, 8, 255]), order), order),  # a single, kept as small integers
        matrix(b"word", 4, (1, 4), element(4, "conv".encode(f"utf-16-{'le' if order == '<' else 'be'}"), order), order),
        order=order,
    )
    found = mat_v5.read(path)
    assert found["half"].tolist() == [[1.5, 3, 5], [-2, 4, 6]]  # the first dimension counts first
    assert found["bytes"].tolist() == [[7, 8, 255]]
    assert found["word"] == "conv"


def test_small_elements_have_their_data_in_the_tag(tmp_path):
    inside = element(6, struct.pack("<II", 7, 0)) + element(5, struct.pack("<2i", 1, 1))
    inside += struct.pack("<I4s", 1 << 16 | 1, b"a") + struct.pack("<If", 4 << 16 | 7, 0.25)
    assert mat_v5.read(written(tmp_path / "x.mat", element(14, inside)))["a"].tolist() == [[0.25]]


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes_is_read(tmp_path, compressed):
    cell = np.empty((1, 3), object)
    cell[0] = ["fc8", np.zeros((0, 0)), {"pad": np.array([[0, 1, 0, 1]], "u1")}]
    structs = np.array([[("a", 1.0), ("b", 2.0)]], [("name", object), ("value", object)])
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    nested = {"array": array, "inner": {"cell": cell}, "none": np.array([[True]])}
    scipy.io.savemat(tmp_path / "x.mat", {"net": nested, "params": structs}, do_compression=compressed)
    found = mat_v5.read(tmp_path / "x.mat")
    assert np.array_equal(found["net"]["array"], array)
    assert found["net"]["inner"]["cell"][0] == "fc8"
    assert found["net"]["inner"]["cell"][1].size == 0
    assert found["net"]["inner"]["cell"][2]["pad"].tolist() == [[0, 1, 0, 1]]
    assert [(one["name"], one["value"].item()) for one in found["params"]] == [("a", 1), ("b", 2)]
    assert scipy.io.loadmat(tmp_path / "x.mat")["params"].shape == (1, 2)


def test_functions_and_objects_are_nothing(tmp_path):
    function = element(
        14, element(6, struct.pack("<II", 16, 0)) + element(5, struct.pack("<2i", 1, 1)) + element(1, b"f")
    )
    opaque = element(14, element(6, struct.pack("<II", 17, 0)) + element(1, b"o") + element(1, b"MCOS"))
    found = mat_v5.read(written(tmp_path / "x.mat", function, opaque, matrix(b"n", 9, (1, 1), element(2, b"\3"))))
    assert found["f"] is None
    assert found["n"].tolist() == [[3]]


def _compressed(claimed, content):
    return element(15, zlib.compress(struct.pack("<II", 14, claimed) + content))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (matrix(b"text", 4, (20_000, 20_000), element(4, b"")), ""),  # costs scipy 3 GB
        (matrix(b"cell", 1, (1, 2**31 - 1), b""), "claims 2,147,483,647 elements"),
        (matrix(b"s", 2, (1, 2**31 - 1), element(5, struct.pack("<i", 32)) + element(1, b"")), ""),
        (matrix(b"s", 2, (1, 2**31 - 1), element(5, struct.pack("<i", 1)) + element(1, b"a")), "elements in 0 bytes"),
        (matrix(b"a", 7, (40_000, 40_000), struct.pack("<II", 7, 2**32 - 8)), "cut off"),
        (matrix(b"a", 7, (40_000, 40_000), element(7, bytes(16))), "but 4 values"),
        (matrix(b"a", 7, (-1, 3), element(7, bytes(16))), "damaged"),
        (_compressed(2**32 - 8, b""), "claims 4,294,967,288 bytes"),
        (_compressed(2**20, b""), "cut off"),
        (element(15, b"not compressed"), "compression is damaged"),
    ],
)
def test_sizes_are_believed_only_if_the_bytes_are_there(tmp_path, content, says):
    path = written(tmp_path / "x.mat", content)
    tracemalloc.start()
    try:
        if says:
            with pytest.raises(ValueError, match=says) as caught:
                mat_v5.read(path)
            assert "\n" not in str(caught.value)
        else:
            mat_v5.read(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_cell_in_a_cell_in_a_cell_ends(tmp_path):
    inner = matrix(b"", 7, (1, 1), element(7, bytes(4)))
    for _ in range(40):
        inner = matrix(b"", 1, (1, 1), inner)
    with pytest.raises(ValueError, match="structs deep"):
        mat_v5.read(written(tmp_path / "x.mat", inner))


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0", bytes(200)])
def test_another_file_is_told(tmp_path, content):
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(ValueError, match="not a MATLAB file"):
        mat_v5.read(tmp_path / "x.mat")
