"""genviz convert: networks as their authors published them, as ``.safetensors``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from genviz.classifiers.input_space import InputSpace


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--classifier", metavar="NAME", help="Which network it is, if its layers do not tell.")
def command(source: Path, target: Path, classifier: str | None) -> None:
    """Convert a network of MatConvNet's or Caffe's to .safetensors.

    SOURCE is a .mat or a .caffemodel of AlexNet, CaffeNet, VGG-F, VGG-M, VGG-S or a VGG of 11 to 19 layers; TARGET ends
    in .safetensors. The mean, the order of the channels and the normalizations go with the weights. No code in a file
    is executed.
    """
    from genviz.classifiers.conversion import convert  # torch takes seconds

    source, target = source.expanduser(), target.expanduser()
    facts = convert(source, target, classifier)
    click.echo(
        f"wrote       {target}, {target.stat().st_size / 1e6:,.1f} MB: {facts.classifier}, {_told(facts.input_space)}"
    )
    for name, norm in facts.norms.items():
        click.echo(
            f"{name:11} size {norm.size}, alpha {norm.alpha:g} of the mean, beta {norm.beta:g}, kappa {norm.kappa:g}"
        )
    click.echo(f"use         classifier={facts.classifier} classifier.weights={target}")


def _told(space: InputSpace | None) -> str:
    if space is None:
        return "no mean in the file, so Caffe's"
    mean = ", ".join(f"{value:.4g}" for value in space.means)
    return f"{space.channels}, {space.mean_kind} {mean}"
