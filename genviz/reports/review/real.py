"""Real pictures beside the generated ones: finding one for a class by its file name, and copying it for the page."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from tqdm.auto import tqdm

from genviz.files import atomic_write, check_file
from genviz.images.folders import find_pictures
from genviz.images.pictures import UNREADABLE, read_picture
from genviz.targets.labels import slug

FOLDER = "real"
"""The folder of the copies, inside the output folder."""

_SIDE = 512  # of a copy at most, in pixels
_MARK = "genviz review "
"""Every copy's comment starts with this; a file without it is never overwritten or removed."""
_WORD = re.compile(r"[^\W\d_]+|\d+")
_NUMBERED = re.compile(r"class[\W_]*0*(\d{1,6})(?!\d)", re.IGNORECASE | re.ASCII)
_WORDNET = re.compile(r"(?<![^\W_])n\d{8}(?!\d)", re.ASCII)
_FOLDERS_DOUBT = 100  # a file's own name counts for more than its folder's


class Wanted(NamedTuple):
    """A class for which a real picture is wanted."""

    label: str
    number: int | None
    """None if it is not known."""


def find_real(
    folder: Path, wanted: Mapping[str, Wanted], labels: Sequence[str], apart: Iterable[Path]
) -> dict[str, list[Path]]:
    """The pictures of each wanted class in ``folder``, best match first: ``n01440764_tench.jpg``, ``tench/1.jpg``.

    A name belongs to the longest label in it, so that ``tiger_shark.jpg`` is not a tiger, or to a number in it, as in
    ``class-0.jpg``. Labels that differ only in case match exactly. If there are as many WordNet numbers as labels, as
    in ImageNet's own folders, they are taken to be in the order of the classes.

    Args:
        labels: of all classes, by number; empty if they are not known.
        apart: folders whose pictures are ignored.

    Raises:
        UserError: there is no such folder, or it holds no picture.
    """
    known: dict[str, list[str]] = {}
    for label in dict.fromkeys((*labels, *(label for label, _ in wanted.values()))):
        known.setdefault(slug(label), []).append(label)
    others = {path.resolve() for path in apart}
    pictures = [
        path for path in find_pictures(folder, "--pictures").pictures if others.isdisjoint(path.resolve().parents)
    ]
    names = {path: (path.stem, *([path.parent.name] if path.parent != folder else [])) for path in pictures}
    wordnet = sorted({number for both in names.values() for name in both for number in _WORDNET.findall(name)})
    places = {number: place for place, number in enumerate(wordnet)} if len(wordnet) == len(labels) else {}
    named: dict[str | int, list[tuple[int, Path]]] = {}
    for path, both in names.items():
        for doubt, name in enumerate(both):
            if said := _class_in(name, known, places, folder=doubt > 0):
                named.setdefault(said[0], []).append((said[1], path))
                break
    return {
        target: [path for _, path in sorted([*named.get(label, []), *named.get(-1 if number is None else number, [])])]
        for target, (label, number) in wanted.items()
    }


def _class_in(
    name: str, known: Mapping[str, list[str]], places: Mapping[str, int], *, folder: bool
) -> tuple[str | int, int] | None:
    """The label or number in a name, and how many other words the name has; None if there is neither."""
    doubt = _FOLDERS_DOUBT if folder else 0
    if (synset := _WORDNET.search(name)) and synset[0] in places:
        return places[synset[0]], doubt
    if number := _NUMBERED.search(name) or (folder and re.fullmatch(r"0*(\d{1,6})", name, re.ASCII)):
        return int(number[1]), doubt
    words = _WORD.findall(unicodedata.normalize("NFKD", name).casefold())
    for length in range(len(words), 0, -1):
        for first in range(len(words) - length + 1):
            labels = known.get("".join(words[first : first + length]), [])
            spelled = labels if len(labels) == 1 else [label for label in labels if label in name]
            if spelled:
                return spelled[0], doubt + len(words) - length
    return None


def copy_real(root: Path, found: Mapping[str, Sequence[Path]]) -> list[str]:
    """Copy the best match of each name to ``root/real/``, at most 512 pixels wide and high; return what is damaged.

    A copy from an earlier review whose name no longer has a picture is removed.

    Args:
        found: the pictures for each copy's name, best match first.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    damaged: list[str] = []
    for name, pictures in tqdm(found.items(), "real pictures", unit="picture", delay=2, leave=False):
        copy = copy_of(root, name)
        there = _comment(copy)
        if copy.exists() and not there.startswith(_MARK):
            continue
        for path in pictures:
            try:
                mark = f"{_MARK}{_fingerprint(path)}"
                picture = None if there == mark else read_picture(path, _SIDE)
            except UNREADABLE:
                damaged.append(path.name)
                continue
            if picture is not None:
                _write(copy, Image.fromarray(picture.permute(1, 2, 0).numpy()), mark)
            break
        else:
            copy.unlink(missing_ok=True)
    return damaged


def copy_of(root: Path, name: str) -> Path:
    """The path of the copy of a real picture, whether it exists or not."""
    return root / FOLDER / f"{name}.jpg"


def _fingerprint(path: Path) -> str:
    status = path.stat()
    known = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    return hashlib.sha256(known.encode("utf-8", "replace")).hexdigest()


def _comment(path: Path) -> str:
    try:
        with Image.open(check_file(path)) as picture:
            comment = picture.info.get("comment", b"")
    except UNREADABLE:
        return ""
    return comment.decode(errors="replace") if isinstance(comment, bytes) else ""


def _write(path: Path, picture: Image.Image, mark: str) -> None:
    picture.thumbnail((_SIDE, _SIDE))
    with atomic_write(path, durable=False) as file:
        picture.save(file, format="JPEG", quality=88, comment=mark)
