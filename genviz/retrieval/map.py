"""A map of pictures: what is alike to a network lies together (Karpathy 2014)."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from PIL import Image

from genviz.errors import UserError
from genviz.files import atomic_write, prepare_folder, write_text
from genviz.images.folders import find_pictures
from genviz.images.given import folder_for, readable
from genviz.images.pictures import read_upright, resize
from genviz.images.thumbnails import scattered, thumbnails
from genviz.interfaces import Outline
from genviz.reports.map_page import Mapped, write_map_page
from genviz.retrieval.features import CALLED, FEATURES, Kept, called_in, feature_layer, look, see
from genviz.retrieval.generated import generated
from genviz.retrieval.neighbours import as_folder, folder_of, seen_in
from genviz.retrieval.plane import alike_nearby, cells, check_method, grid_of, laid_out, perplexity_of
from genviz.targets.grammar import Target
from genviz.training import build, console, naming
from genviz.training.allocator import keep_freed_memory
from genviz.training.logged_pictures import log_pictures
from genviz.training.looking import looking

_CROWDED = 1.6
"""The map's side, in thumbnails, is so many times that of the grid."""


def map(config: DictConfig) -> int:
    """Write the map as a page, as two PNGs and as a table; return the program's exit code.

    Raises:
        UserError: a setting cannot work, there are too few pictures, or a picture cannot be read.
    """
    keep_freed_memory()
    outline = build.sketch(config.classifier)
    kept = Kept(feature_layer(outline, config.layer), config.pooling)
    targets = _targets(config, outline)
    check_method(config.method)
    perplexity_of(len(find_pictures(config.data, kept.setting).pictures) + len(targets), config.perplexity)
    made: dict[str, Path] = {}
    for target in targets:
        code, picture = generated(config, target)
        if code:
            return code
        made[str(target)] = picture
    console.warn(naming.note(config))
    classifier = looking(config)
    features = look(config.data, classifier, kept, cache=seen_in(config))
    vectors, called = [features.matrix()], features.others[CALLED][:, 0].tolist()
    for picture in made.values():
        seen = see(classifier, resize(read_upright(picture), outline.input_size), kept)
        vectors.append(seen[FEATURES].astype(np.float32))
        called.append(int(seen[CALLED][0, 0]))
    together = np.concatenate(vectors)
    print(f"{len(together):,} pictures, {together.shape[1]:,} features each: {config.method}", flush=True)
    places = laid_out(together, config.method, perplexity=config.perplexity, seed=config.seed)
    real = len(features.names)
    mapped = Mapped(
        [*(features.root / name for name in features.names), *made.values()],
        [*(readable(name) for name in features.names), *(f"generated for {target}" for target in made)],
        places,
        cells(places),
        [*(readable(Path(name).parent) for name in features.names), *("generated" for _ in made)],
        [called_in(outline, number) for number in called],
        dict(enumerate(made, real)),
    )
    told = _told(mapped, together, real, config.seed)
    parent = folder_of(config, "map") / f"{as_folder(kept.layer)}-{config.method}"
    folder = folder_for(parent, as_folder(features.root.resolve().name), config.data)
    prepare_folder(folder)
    small = thumbnails(mapped.paths, config.thumbnail)
    _draw(folder, mapped, small, config.side)
    _write_table(folder / "places.csv", mapped)
    about = {"source": readable(features.root), "layer": kept.layer, "told": told, "note": naming.note(config)}
    write_map_page(folder / "map.html", mapped, small, {**about, "classifier": naming.classifier_name(config)})
    print(f"{told}\n\npage        {folder / 'map.html'}")
    print(f"pictures    {folder / 'map.png'}, grid.png\ntable       {folder / 'places.csv'}")
    sheets = {"map": folder / "map.png", "grid": folder / "grid.png"}
    print(f"run         {log_pictures(config, folder, f'map of {readable(features.root)}', sheets)}", flush=True)
    return 0


def _targets(config: DictConfig, outline: Outline) -> list[Target]:
    if config.targets is None:
        return []

    def refuse(entry: str) -> list[str]:
        raise UserError(f"targets={entry}: name the filters by their numbers; genviz contributions finds them")

    return build.targets(config, outline, refuse)


def _told(mapped: Mapped, features: np.ndarray, real: int, seed: int) -> str:
    """How much of what is near stays near, if the pictures lie in several folders."""
    folders = list(mapped.folders[:real])
    if len(set(folders)) < 2:
        return ""
    plane, space = alike_nearby(mapped.places[:real], features[:real], folders, seed)
    return f"A picture's nearest other is of its folder for {plane:.0%} on the map, for {space:.0%} among the features."


def _draw(folder: Path, mapped: Mapped, small: np.ndarray, longest: int) -> None:
    """Write map.png and grid.png."""
    columns, rows = grid_of(len(small))
    side = max(1, min(small.shape[1], longest // columns))
    grid = scattered(small, (mapped.cells + 0.5) * side, side, (columns * side, rows * side), mapped.generated)
    room = min(longest, round(_CROWDED * columns * small.shape[1])) - small.shape[1]
    low = mapped.places.min(0)
    spread = (mapped.places - low) * max(room, 1) + small.shape[1] / 2
    size = np.ceil(spread.max(0) + small.shape[1] / 2).astype(int)
    plane = scattered(small, spread, small.shape[1], (int(size[0]), int(size[1])), mapped.generated)
    for name, picture in (("map.png", plane), ("grid.png", grid)):
        _write(folder / name, picture)


def _write(path: Path, picture: Image.Image) -> None:
    with atomic_write(path) as file:
        picture.save(file, format="PNG", compress_level=4)


def _write_table(path: Path, mapped: Mapped) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["picture", "x", "y", "column", "row", "folder", "called", "generated"])
    for number, (place, cell) in enumerate(zip(mapped.places.tolist(), mapped.cells.tolist(), strict=True)):
        own = (readable(mapped.paths[number]), *(f"{value:.6f}" for value in place), *cell)
        table.writerow([*own, mapped.folders[number], mapped.called[number], mapped.generated.get(number, "")])
    write_text(path, text.getvalue())
