"""What comes with genviz, its configurations and weights, and the hashes by which a damaged installation is told."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from genviz.errors import UserError
from genviz.files import sha256

SHA256 = {
    "vgg16.safetensors": "4519bf03b9db12067d6d07d6a2260ae90b80fbb203c5edc2bb833fadc83efddf",
    "heads.safetensors": "bc940d27fd11cc6abbbabe606d1d00ea979f44e7a5b93c5a21ba7ed131e7a001",
    "small.safetensors": "2a965ba063f9be4e23c7c8aa5a47db6f2516c880242399057e69b4ff179afe5a",
    "decoder.safetensors": "deae97a1318e7b98f7178455f32df30fafbe69799fa4d7ef840a576eafcbfdaa",
    "spectrum.safetensors": "a648393be6a6154d9a7ee5da5f680cad16f82c48d854bea6d06bfccabe464d95",
}
"""Of each file of weights."""


def folder(name: str) -> Path:
    """``configs`` or ``checkpoints``: inside the package where genviz is installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def place(name: str) -> Path:
    """Where the weights ``name`` are, if the installation is whole."""
    return folder("checkpoints") / name


@lru_cache
def intact(name: str) -> Path:
    """The file of the weights ``name``, every byte as it was shipped.

    Raises:
        UserError: it is missing, or damaged.
    """
    path, wanted = place(name), SHA256[name]
    found = sha256(path) if path.is_file() else None
    if found == wanted:
        return path
    what = "is missing" if found is None else f"is damaged (its sha256 is {found})"
    raise UserError(
        f"{path}, which comes with genviz, {what}; sha256 {wanted} is expected. To get it again: "
        f"pip install --force-reinstall --no-deps genviz, or in a checkout git checkout -- checkpoints/{name}"
    )
