"""What a network sees in the pictures of a run, as it draws it: HOG's strokes."""

from __future__ import annotations

from pathlib import Path

import torch

from genviz.images.pictures import display, read_image, read_upright, write_png
from genviz.interfaces import Classifier
from genviz.training.run import Run


@torch.no_grad()
def draw(run: Run) -> None:
    """Draw what the classifier sees in the run's picture, and in its ``image`` if it has one; or nothing.

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    classifier, image = run.classifier, run.config.image
    if type(classifier).drawn is Classifier.drawn:  # it never draws
        return
    files = [(run.folders.drawn, read_image(run.folders.picture))]
    files += [] if image is None else [(run.folders.drawn_image, read_upright(Path(str(image)).expanduser()))]
    for file, picture in files:
        drawn = classifier.drawn(picture.to(classifier.device))
        if drawn is not None:
            write_png(file, display(drawn[0]))
