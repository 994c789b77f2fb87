"""genviz spectrum: measure how strong each frequency is in pictures."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("spectrum")
@click.argument("folder")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--size", type=int, metavar="PIXELS", help="Side of the centre crop that is measured; 256 by default.")
def command(folder: str, file: Path, size: int | None) -> None:
    """Measure the mean spectrum of pictures, for generator=maco.

    FOLDER holds the pictures, with its subfolders; FILE is written, such as mine.safetensors.
    """
    from genviz.generators import spectrum
    from genviz.images.folders import find_pictures

    file = file.expanduser()
    found = spectrum.measure(find_pictures(folder, "FOLDER").pictures, spectrum.SIZE if size is None else size)
    spectrum.write(file, found, Path(folder).expanduser().resolve().name)
    smaller = f" (left out as too small or damaged: {found.left_out})" if found.left_out else ""
    click.echo(f"{file}: mean of {found.pictures} pictures{smaller}; use: generator=maco generator.weights={file}")
