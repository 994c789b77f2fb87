"""genviz labels: the classes that a target can name."""

from __future__ import annotations

import click


@click.command("labels")
@click.argument("containing", default="")
@click.option("--labels", metavar="FILE", help="File with one label per line, instead of ImageNet's.")
@click.option("--detector", metavar="NAME", help="One of torchvision's detectors, for its labels.")
def command(containing: str, labels: str | None, detector: str | None) -> None:
    """List the classes that a target can name, each with WordNet's number and other words for it.

    With CONTAINING, only those that one of these contains.
    """
    from genviz.classifiers.detector import checked
    from genviz.classifiers.labels import labels_of
    from genviz.errors import UserError
    from genviz.targets.labels import nearest, slug, words_of

    known = labels_of("vgg16", labels) if detector is None else labels_of(checked(detector), labels)
    others = words_of(known)
    wanted = slug(containing)
    found = [
        index
        for index, (label, words) in enumerate(zip(known, others, strict=True))
        if any(wanted in slug(word) for word in (label, *words) if not (wanted.isdigit() and word in words))
    ]
    if not found:
        likely = ", ".join(nearest(containing, [*known, *(word for words in others for word in words)]))
        raise UserError(f"no label contains '{containing}'" + (f"; nearest: {likely}" if likely else ""))
    for index in found:
        also = f" ({', '.join(others[index])})" if others[index] else ""
        click.echo(f"{index:4d}  {known[index]}{also}")
