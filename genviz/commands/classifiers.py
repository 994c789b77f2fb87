"""genviz classifiers: the networks that come with genviz, and torchvision's, with its detectors."""

from __future__ import annotations

import click

OWN = {
    "embedded": "ships with genviz: VGG16's convolutions (Simonyan & Zisserman, Oxford, CC BY 4.0) and genviz's heads",
    "small": "ships with genviz: a plain network of eight convolutions, for speed",
    "hog": "histograms of oriented gradients, as a network without classes",
    "hogb": "the same with bilinear orientations",
    "dsift": "dense SIFT, as a network without classes",
}
CLASSIC = {
    "alexnet_caffe": "Krizhevsky et al. 2012, as Caffe ships it; needs a file of weights, as do the next four",
    "caffenet": "the same, but it pools before it normalizes (CaffeRef)",
    "vgg_f": "Chatfield et al. 2014, fast",
    "vgg_m": "Chatfield et al. 2014, medium",
    "vgg_s": "Chatfield et al. 2014, slow",
}
BUILT = {"efficientnet_lite0": "Tan & Le 2019; needs genviz[teachers] and a file of weights"}
FITTED = {"fitted": "a network that genviz fit has trained; needs its file of weights"}
_WIDTH = max(len(name) for name in (*OWN, *CLASSIC, *BUILT, *FITTED))


@click.command("classifiers")
def command() -> None:
    """List genviz's own classifiers, those of 2012 to 2014, and torchvision's, with its detectors."""
    from genviz.classifiers.detector import detectors
    from genviz.classifiers.outline import architectures

    for name, what in (*OWN.items(), *CLASSIC.items(), *BUILT.items(), *FITTED.items()):
        click.echo(f"{name:{_WIDTH}}  {what}")
    for name in (*architectures(), *detectors()):
        click.echo(name)
