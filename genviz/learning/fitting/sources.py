"""Where labelled pictures come from: a folder with one subfolder for each class, an .npz file, CIFAR-10."""

from __future__ import annotations

import hashlib
import io
import itertools
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torchvision
from PIL import Image
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.images.folders import find_pictures
from genviz.images.given import readable
from genviz.images.pictures import UNREADABLE
from genviz.learning.fitting.labelled import Labelled

CIFAR10 = "cifar10"
MOST = 100_000
"""Classes at most."""
FORMS = (
    "a folder with one subfolder for each class; an .npz file with images (n, h, w, 3), bytes, and labels (n,); or "
    f"{CIFAR10}, which torchvision downloads"
)
_PATIENCE = 2.0  # seconds before a progress bar is shown
_VALIDATION = ("val", "validation", "test")


class Source(NamedTuple):
    """Labelled pictures, and the names of their classes."""

    name: str
    training: Labelled
    validation: Labelled | None
    """Those that come apart from the others; None: to be held out of ``training``."""

    test: Labelled | None
    classes: tuple[str, ...]

    def held_out(self, share: float, seed: int) -> Source:
        """With a ``share`` of the training pictures, drawn at random, as validation, if none come apart.

        Raises:
            UserError: there are too few pictures.
        """
        if self.validation is not None:
            return self
        count = len(self.training.labels)
        held = round(share * count)
        if not 0 < held < count:
            raise UserError(f"data.root: {count} pictures are too few to hold out a share of {share:g}; give more")
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        return self._replace(training=self.training.subset(order[held:]), validation=self.training.subset(order[:held]))


def read(root: str) -> Source:
    """The labelled pictures at ``root``: `FORMS`.

    Raises:
        UserError: there are none of these forms, or only one class.
    """
    path = Path(root).expanduser()
    if root == CIFAR10 or (path / "cifar-10-batches-py").is_dir():
        source = _cifar10(None if root == CIFAR10 else path)
    elif path.suffix.lower() == ".npz" and path.is_file():
        source = _npz(path)
    elif path.is_dir():
        source = _folder(path)
    else:
        raise UserError(f"data.root={root}: there is no such folder or .npz file; give {FORMS}")
    if len(source.classes) < 2:
        only = f"one class, {source.classes[0]}" if source.classes else "no class"
        raise UserError(f"data.root={root} has {only}; a classifier needs two or more: give {FORMS}")
    return source


def _cifar10(path: Path | None) -> Source:
    folder = Path(torch.hub.get_dir()).parent / "datasets" if path is None else path
    try:
        parts = [torchvision.datasets.CIFAR10(str(folder), train, download=path is None) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise UserError(
            f"data.root={path or CIFAR10}: CIFAR-10 is not available ({why}); give a folder or an .npz file"
        ) from error
    whole, test = (Labelled(part.data, torch.tensor(part.targets)) for part in parts)
    return Source("CIFAR-10", whole, None, test, tuple(parts[0].classes))


def _folder(root: Path) -> Source:
    """The subfolders as classes; of ``train`` and ``val``, if the folder has these."""
    parts = {name: root / name for name in ("train", *_VALIDATION) if (root / name).is_dir()}
    apart = parts.get("train") if len(parts) > 1 else None
    whole, classes = _classes(root if apart is None else apart, None)
    validation = test = None
    if apart is not None:
        others = [_classes(parts[name], classes)[0] for name in parts if name != "train"]
        validation, test = others[0], others[1] if len(others) > 1 else None
    return Source(readable(root.resolve().name), whole, validation, test, classes)


def _classes(root: Path, known: tuple[str, ...] | None) -> tuple[Labelled, tuple[str, ...]]:
    """The pictures of each class in the subfolder of its name, and the names in readable form."""
    subfolders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = {readable(path.name): path for path in subfolders}
    if strange := [name for name in found if known is not None and name not in known]:
        raise UserError(f"data.root: {root} has a class {strange[0]} that is not in {root.parent / 'train'}")
    classes = known or tuple(found)
    pictures: list[Path] = []
    labels: list[int] = []
    for number, name in enumerate(classes):
        own = find_pictures(found[name], "data.root").pictures if name in found else []
        pictures += own
        labels += [number] * len(own)
    return Labelled(pictures, torch.tensor(labels, dtype=torch.long)), classes


def _npz(path: Path) -> Source:
    """images and labels, or train_images, train_labels, val_images, ...; or JPEG or PNG bytes with their offsets."""
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = {name: _part(path, file, name) for name in ("", "train", "val", "test")}
            named = [str(name) for name in file["classes"].tolist()] if "classes" in file.files else None
    except (*UNREADABLE, RuntimeError, zipfile.BadZipFile, MemoryError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise UserError(f"data.root={path} cannot be read ({why}); give {FORMS}") from error
    whole = parts[""] or parts["train"]
    if whole is None:
        raise UserError(f"data.root={path} has neither images and labels nor train_images and train_labels")
    highest = max(int(part.labels.max()) for part in parts.values() if part is not None)
    if highest >= MOST:
        raise UserError(f"data.root={path}: it has a label {highest}, but labels are from 0 to {MOST - 1:,}")
    if named is None:
        named = [str(number) for number in range(highest + 1)]
    elif highest >= len(named):
        raise UserError(f"data.root={path}: it has a label {highest}, but names only {len(named)} classes, from 0 up")
    return Source(readable(path.stem), whole, parts["val"], parts["test"], tuple(named))


def _part(path: Path, file: np.lib.npyio.NpzFile, name: str) -> Labelled | None:
    start = f"{name}_" if name else ""
    labels = next((file[start + key] for key in ("labels", "y") if start + key in file.files), None)
    if f"{start}images" in file.files:
        images = file[f"{start}images"]
    elif f"{start}jpeg" in file.files and f"{start}offsets" in file.files:
        images = _decoded(path, file[f"{start}jpeg"], file[f"{start}offsets"])
    else:
        return None
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim == 4 and images.shape[-1] == 1:
        images = np.repeat(images, 3, -1)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or not len(images):
        kind = f"{images.dtype}, {images.shape}"
        raise UserError(f"data.root={path}: {start}images must be bytes, (n, h, w, 3), not {kind}")
    if labels is None:
        raise UserError(f"data.root={path} has {start}images but no {start}labels")
    labels = labels.reshape(len(labels), -1)[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    whole = labels.dtype.kind in "iu" and labels.size > 0
    if labels.shape != (len(images),) or not whole or labels.min() < 0:
        least = f", from {labels.min()} up" if whole and labels.min() < 0 else ""
        raise UserError(
            f"data.root={path}: {start}labels must be {len(images)} whole numbers from 0 up, one for each picture, "
            f"not {labels.dtype}, {labels.shape}{least}"
        )
    return Labelled(np.ascontiguousarray(images), torch.from_numpy(labels.astype(np.int64)))


def _decoded(path: Path, blob: np.ndarray, offsets: Sequence[int] | np.ndarray) -> np.ndarray:
    """The pictures in a ``blob`` of JPEG or PNG files, one after the other."""
    if blob.dtype != np.uint8 or blob.ndim != 1:
        raise UserError(f"data.root={path}: the pictures' files must be bytes, (n,)")
    content, ends = blob.tobytes(), [int(offset) for offset in offsets]
    found = []
    pairs = list(itertools.pairwise(ends))
    for first, last in tqdm(pairs, desc=f"reading {path.name}", unit="picture", delay=_PATIENCE, dynamic_ncols=True):
        try:
            with Image.open(io.BytesIO(content[first:last])) as image:
                found.append(np.asarray(image.convert("RGB")))
        except UNREADABLE as error:
            raise UserError(f"data.root={path}: picture {len(found)} cannot be decoded") from error
        if found[-1].shape != found[0].shape:
            raise UserError(f"data.root={path}: its pictures must all be of one size")
    return np.stack(found) if found else np.empty((0, 1, 1, 3), np.uint8)


def digest(source: Source) -> str:
    """A digest of all pictures, or of their files' names and sizes, and of their labels; 16 hexadecimal digits."""
    found = hashlib.sha256()
    for part in (source.training, source.validation):
        if part is not None:
            whole = isinstance(part.pictures, np.ndarray)
            files = [] if whole else [f"{p.parent.name}/{p.name} {p.stat().st_size}" for p in map(Path, part.pictures)]
            names = "\n".join(files).encode(errors="surrogateescape")
            found.update(part.pictures.data if whole else names)  # type: ignore[union-attr]
            found.update(part.labels.numpy().data)
    return found.hexdigest()[:16]
