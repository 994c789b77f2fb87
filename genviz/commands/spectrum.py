"""genviz spectrum: how strong each frequency is in pictures."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("spectrum")
@click.argument("folder")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--size", type=int, metavar="PIXELS", help="Of the middle of each picture that is measured; 256.")
def command(folder: str, file: Path, size: int | None) -> None:
    """Measure the mean spectrum of pictures, for generator=maco.

    FOLDER holds the pictures, however nested; FILE is written, mine.safetensors for instance.
    """
    from genviz.generators import spectrum
    from genviz.images.folders import find_pictures

    file = file.expanduser()
    found = spectrum.measure(find_pictures(folder, "spectrum").pictures, spectrum.SIZE if size is None else size)
    spectrum.write(file, found, Path(folder).expanduser().resolve().name)
    smaller = f" ({found.left_out} more are smaller, or damaged)" if found.left_out else ""
    click.echo(f"{file}: of {found.pictures} pictures{smaller}; use it by generator=maco generator.weights={file}")
