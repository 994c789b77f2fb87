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
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.files import atomic_write, clear_leftovers
from genviz.images.folders import tell_copies
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
        values = _peaks(activation).float().t()  # (filters, n)
        values = values.where(values.isfinite() & (values != 0), _NONE)
        numbers = torch.tensor(rows, device=values.device).expand_as(values)
        both = torch.cat([self.values, values], 1), torch.cat([self.rows, numbers], 1)
        best = both[0].sort(dim=1, descending=True, stable=True).indices[:, :NINE]  # the first of equal ones stays
        positions = torch.cat([self.positions, torch.zeros_like(numbers)], 1).gather(1, best)
        filters, places = (best >= NINE).nonzero(as_tuple=True)  # those that are new, of which there are ever fewer
        maps = activation[best[filters, places] - NINE, filters]
        positions[filters, places] = maps[..., None].flatten(1).argmax(1)
        return Strongest(both[0].gather(1, best), both[1].gather(1, best), positions)

    def to(self, device: torch.device | str) -> Strongest:
        """The same on a device."""
        return Strongest(*(each.to(device) for each in self))


def _peaks(activation: Tensor) -> Tensor:
    """The largest value of each filter, (n, filters), in an activation (n, filters, ...)."""
    if activation.ndim == 4 and activation.is_contiguous(memory_format=torch.channels_last):
        return F.adaptive_max_pool2d(activation, 1)[..., 0, 0]  # on a CPU, a third of the time of amax
    return activation.amax(tuple(range(2, activation.ndim))) if activation.ndim > 2 else activation


class Folder(NamedTuple):
    """The pictures of a folder."""

    root: Path
    paths: list[Path]
    copies: int = 0
    """Of these, left out."""

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
    """Name the damaged pictures, and say how many copies are left out.

    Raises:
        UserError: all are.
    """
    if len(damaged) == len(folder.paths):
        raise UserError(f"data={folder.root}: none of its {len(damaged) + folder.copies} pictures can be decoded")
    for row in damaged:
        name = str(folder.paths[row]).encode(errors="backslashreplace").decode()
        print(f"left out: {name} cannot be decoded", file=sys.stderr, flush=True)
    tell_copies(folder.copies)
