import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from torch import nn

from genviz.errors import UserError
from genviz.generators import decoder_file
from genviz.generators.decoder import EPSILON, Decoder
from genviz.generators.decoder_file import Sizes

SMALL = Sizes(code_shape=(8, 3, 3), widths=(6, 5), kernels=(2, 3), head=(4,))


def written(path, *, facts=None, first=None):
    torch.manual_seed(0)
    decoder = Decoder(**SMALL._asdict(), norm=lambda channels: nn.BatchNorm2d(channels, EPSILON))
    if first is not None:
        decoder[1].weight.data[0, 0, 0, 0] = first
    numbers = torch.arange(72) + 1.0
    sha256 = decoder_file.write(decoder, SMALL, path, code_mean=numbers, code_std=2 * numbers, facts=facts or {})
    return decoder, sha256


def metadata_of(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["genviz"])


def test_it_holds_what_was_written_in_half_precision(tmp_path):
    decoder, sha256 = written(tmp_path / "a.safetensors")
    tensors, found = decoder_file.read(tmp_path / "a.safetensors")
    assert found == sha256
    for name, value in decoder.state_dict().items():
        kept = tensors[f"layers.{name}"]
        assert kept.dtype == (torch.float16 if value.ndim == 4 else value.dtype)
        torch.testing.assert_close(kept.to(value.dtype), value, rtol=1e-3, atol=1e-4)
    assert torch.equal(tensors["code_mean"], torch.arange(72)[None] + 1.0)


def test_another_program_can_build_it_from_the_metadata(tmp_path):
    decoder, _ = written(tmp_path / "a.safetensors", facts={"data": {"dogs": 9}})
    metadata = metadata_of(tmp_path / "a.safetensors")
    assert Sizes(*(tuple(metadata[name]) for name in Sizes._fields)) == decoder_file.read_sizes(
        tmp_path / "a.safetensors"
    )
    assert metadata["facts"] == {"data": {"dogs": 9}}
    layers = [eval(f"nn.{layer}") for layer in metadata["layers"]]  # by torch's own words alone
    outsider = nn.Sequential(*layers).eval()
    tensors = load_file(tmp_path / "a.safetensors")
    outsider.load_state_dict({name[7:]: value for name, value in tensors.items() if name.startswith("layers.")})
    code = torch.rand(1, *metadata["code_shape"])
    torch.testing.assert_close(outsider(code), decoder.eval()(code), rtol=1e-2, atol=1e-2)
    assert metadata["mean"] == pytest.approx([0.485, 0.456, 0.406])
    assert metadata["std"] == pytest.approx([0.229, 0.224, 0.225])


def test_the_digest_is_of_the_weights_alone_and_the_file_always_the_same(tmp_path):
    paths = [tmp_path / f"{name}.safetensors" for name in "abcd"]
    digests = [written(path, facts=facts)[1] for path, facts in zip(paths, ({}, {}, {"x": 1}), strict=False)]
    assert len(set(digests)) == 1
    assert paths[0].read_bytes() == paths[1].read_bytes() != paths[2].read_bytes()
    assert written(paths[3], first=0.5)[1] != digests[0]
    assert metadata_of(paths[3])["sha256"] != digests[0]


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(UserError, match="not finite"):
        written(tmp_path / "a.safetensors", first=float("nan"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("another number", "do not match their digest"),
        ("cut", "is not a decoder"),
        ("foreign", "its format is None"),
        ("no sizes", "is not a decoder"),
        ("no JSON", "is not a decoder"),
        ("gone", "there is no decoder"),
    ],
)
def test_damaged_and_foreign_files_are_one_clear_line(tmp_path, damage, says):
    path = tmp_path / "a.safetensors"
    written(path)
    tensors, metadata = load_file(path), metadata_of(path)
    match damage:
        case "another number":
            tensors["code_mean"][0, 0] = 7
            path.write_bytes(save(tensors, {"genviz": json.dumps(metadata)}))
        case "cut":
            path.write_bytes(path.read_bytes()[:-100])
        case "foreign":
            save_file({"x": torch.ones(1)}, path)
        case "no sizes":
            path.write_bytes(save(tensors, {"genviz": json.dumps({**metadata, "widths": 3})}))
        case "no JSON":
            path.write_bytes(save(tensors, {"genviz": "{"}))
        case "gone":
            path.unlink()
    with pytest.raises(UserError, match=says) as raised:
        decoder_file.read_sizes(path)
        decoder_file.read(path)
    assert "\n" not in str(raised.value)
