"""The pictures that make each filter of some layers fire most: one pass over a folder, with the best kept."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.files import atomic_write, clear_leftovers
from genviz.interfaces import Classifier, Layer
from genviz.retrieval.stream import stream
from genviz.training.signals import EndedError, noticing

NINE = 9
_AT_ONCE = 16
_KEEP_EVERY = 30.0  # seconds between two writes of the state
_PATIENCE = 2.0  # seconds before a progress bar is shown
_NONE = float("-inf")


class Strongest(NamedTuple):
    """For each filter of a layer, the places where it fires most, one in a picture; the strongest first."""

    values: Tensor
    """(filters, 9); minus infinity where there are fewer, as a filter that stays at 0 does not fire."""
    rows: Tensor
    """Of the pictures, (filters, 9)."""
    positions: Tensor
    """In the flattened map, (filters, 9)."""

    @classmethod
    def none(cls, filters: int) -> Strongest:
        """Before the first picture."""
        rows, positions = torch.zeros(2, filters, NINE, dtype=torch.long)
        return cls(torch.full((filters, NINE), _NONE), rows.clone(), positions.clone())

    def with_more(self, activation: Tensor, rows: Sequence[int]) -> Strongest:
        """Those of further pictures, too, ``rows``, which come after the known ones.

        Args:
            activation: of the layer, (n, filters, ...).
        """
        flat = activation.flatten(2) if activation.ndim > 2 else activation[..., None]
        values, positions = flat.max(2)  # (n, filters)
        values = values.float().t()
        values = values.where(values.isfinite() & (values != 0), _NONE)
        numbers = torch.tensor(rows, device=values.device).expand_as(values)
        every = [torch.cat(both, 1) for both in zip(self, (values, numbers, positions.t()), strict=True)]
        best = every[0].sort(dim=1, descending=True, stable=True).indices[:, :NINE]  # the first of equal ones stays
        return Strongest(*(each.gather(1, best) for each in every))

    def to(self, device: torch.device | str) -> Strongest:
        """The same on a device."""
        return Strongest(*(each.to(device) for each in self))


class Folder(NamedTuple):
    """The pictures of a folder."""

    root: Path
    paths: list[Path]

    @property
    def listing(self) -> str:
        """A digest of the names, sizes and times of the files."""
        digest = hashlib.sha256(str(self.root.resolve()).encode(errors="surrogateescape"))
        for path in self.paths:
            try:
                facts = path.stat()
                known = f"{facts.st_size} {facts.st_mtime_ns}"
            except OSError:  # gone meanwhile
                known = "missing"
            digest.update(f"{path.relative_to(self.root)}\0{known}\0".encode(errors="surrogateescape"))
        return digest.hexdigest()


class _State:
    """What is known of a layer, and its file."""

    def __init__(self, file: Path, layer: Layer) -> None:
        self.file, self.layer, self.next = file, layer, 0
        self.damaged: list[int] = []
        self.strongest = Strongest.none(layer.shape[0])
        clear_leftovers(file)
        if file.is_file():
            self._read()

    def _read(self) -> None:
        try:
            with safe_open(self.file, framework="pt") as opened:
                said = json.loads((opened.metadata() or {})["state"])
                found = Strongest(*(opened.get_tensor(name) for name in Strongest._fields))
            if [each.shape for each in found] == [each.shape for each in self.strongest]:
                self.next, self.damaged, self.strongest = int(said["next"]), list(said["damaged"]), found
        except (SafetensorError, OSError, ValueError, KeyError, TypeError):  # damaged: begin again
            return

    def write(self) -> None:
        """Keep what is known."""
        said = {"layer": self.layer.name, "next": self.next, "damaged": self.damaged}
        tensors = {name: each.contiguous() for name, each in self.strongest.to("cpu")._asdict().items()}
        with atomic_write(self.file) as opened:
            opened.write(save(tensors, {"state": json.dumps(said)}))


@torch.no_grad()
def strongest(
    folder: Folder,
    classifier: Classifier,
    layers: Sequence[Layer],
    *,
    identity: str,
    kept: Path,
    at_once: int = _AT_ONCE,
) -> dict[str, Strongest]:
    """The strongest places of every filter of ``layers``, by the layer's name, in one pass over the pictures.

    On the way, each layer's are kept in a file, from which a killed pass goes on to the same result. Memory does not
    depend on the number of pictures, but for their names.

    Args:
        identity: of what decides the classifier's output.
        kept: the folder of these files.
        at_once: pictures in a pass.

    Raises:
        UserError: none of the pictures can be decoded.
        EndedError: a signal ended the pass; what was seen is kept.
    """
    listing, total = folder.listing, len(folder.paths)
    states = [_State(_file(kept, identity, layer, listing, at_once), layer) for layer in layers]
    start, device = min(state.next for state in states), classifier.device
    for state in states:
        state.strongest = state.strongest.to(device)
    size = classifier.outline.input_size
    saved, first = time.monotonic(), start
    with (
        tqdm(total=total, initial=start, desc="looking", unit="picture", delay=_PATIENCE, dynamic_ncols=True) as bar,
        noticing() as noticed,
    ):
        for some in stream(folder.paths[start:], size, at_once):
            due = [state for state in states if state.next <= first]
            rows = [start + row for row in some.rows]
            if rows:
                seen = classifier(some.images.to(device), [state.layer.name for state in due])
            for state in due:
                if rows:
                    state.strongest = state.strongest.with_more(seen[state.layer.name], rows)
                state.damaged += [start + row for row in some.damaged]
                state.next = first + len(some.rows) + len(some.damaged)
            first += len(some.rows) + len(some.damaged)
            bar.update(len(some.rows) + len(some.damaged))
            if noticed or time.monotonic() - saved > _KEEP_EVERY:
                _write(states)
                saved = time.monotonic()
            if noticed:
                raise EndedError(noticed[0])
    if start < total:
        _write(states)
    _tell(folder, states[0].damaged)
    return {state.layer.name: state.strongest.to("cpu") for state in states}


def _write(states: Sequence[_State]) -> None:
    for state in states:
        state.write()


def _file(kept: Path, identity: str, layer: Layer, listing: str, at_once: int) -> Path:
    """Where the state of a layer is kept; of other weights or pictures, elsewhere."""
    facts = json.dumps([identity, layer.name, layer.shape, listing, at_once, NINE])
    return kept / f"strongest-{hashlib.sha256(facts.encode()).hexdigest()[:16]}.safetensors"


def _tell(folder: Folder, damaged: Sequence[int]) -> None:
    """Name the damaged pictures.

    Raises:
        UserError: all are.
    """
    if len(damaged) == len(folder.paths):
        raise UserError(f"data={folder.root}: none of its {len(damaged)} pictures can be decoded")
    for row in damaged:
        name = str(folder.paths[row]).encode(errors="backslashreplace").decode()
        print(f"left out: {name} cannot be decoded", file=sys.stderr, flush=True)
