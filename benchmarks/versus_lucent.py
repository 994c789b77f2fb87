"""Seconds an update beside lucent's: python benchmarks/versus_lucent.py

In one process, the same network (random weights), size (224) and target are given to
`genviz.analysis.drawing.draw` and to lucent's ``render_vis``, in turn, each as a user calls it: Fourier
coefficients, Adam 0.05, the mean of a channel or a class's score, no regularizer. Printed are the medians over the
rounds. Then what a shallow target costs of a deep.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import time
from functools import partial

import torch

from genviz.analysis.drawing import draw
from genviz.classifiers.from_module import from_module
from genviz.interfaces import Classifier
from genviz.objectives.activation import Activation
from genviz.targets.grammar import parse_target
from genviz.transforms.views import RandomViews

SIZE = 224
CASES = (
    ("squeezenet1_0", "features.4", 3),
    ("squeezenet1_0", "features.9", 3),
    ("squeezenet1_0", "class", 593),
    ("vgg16", "features.8", 3),  # relu2_2
    ("vgg16", "features.25", 3),  # relu5_1
    ("vgg16", "class", 593),
)


def ours(classifier: Classifier, layer: str, unit: int, updates: int, views: bool) -> float:
    text = f"class:{unit}" if layer == "class" else f"filter:{layer}:{unit}"
    target = parse_target(text, classifier.outline.labels, classifier.outline.layers)
    objective = partial(Activation, lambda_others=0.0)
    transforms = [RandomViews(views=1, rotate=10, scale=(0.9, 1.1), shift=0.05)] if views else []
    begin = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        draw(classifier, target, objective=objective, regularizers={}, transforms=transforms, updates=updates)
    return (time.perf_counter() - begin) / updates


def theirs(network: torch.nn.Module, layer: str, unit: int, updates: int, views: bool) -> float:
    from lucent.optvis import objectives, param, render, transform

    name = "labels" if layer == "class" else layer.replace(".", "_")
    transforms = transform.standard_transforms if views else []
    begin = time.perf_counter()
    render.render_vis(
        network,
        objectives.channel(name, unit),
        param_f=lambda: param.image(SIZE),
        transforms=transforms,
        thresholds=(updates,),
        progress=False,
        show_image=False,
        fixed_image_size=SIZE if views else None,
    )
    seconds = (time.perf_counter() - begin) / updates
    for module in network.modules():  # which lucent never takes away
        module._forward_hooks.clear()
    return seconds


def main() -> None:
    import torchvision  # after genviz

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=60, help="of SqueezeNet; VGG16 makes a quarter of them")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; seconds an update, medians")
    print("| network | target | transforms | genviz | lucent 0.1.8 | genviz / lucent |\n|---|---|---|---|---|---|")
    alone = {}
    for views in (False, True):
        for architecture, layer, unit in CASES:
            torch.manual_seed(0)
            network = torchvision.models.get_model(architecture, weights=None).eval()
            classifier = from_module(network, input_size=SIZE)
            seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
            updates = arguments.updates if architecture == "squeezenet1_0" else arguments.updates // 4
            for round_ in range(arguments.rounds + 1):
                mine = ours(classifier, layer, unit, updates, views)
                other = theirs(network, layer, unit, updates, views)
                if round_:  # the first warms up both
                    seconds["ours"].append(mine)
                    seconds["theirs"].append(other)
            mine, other = (statistics.median(times) for times in seconds.values())
            how = "each one's own" if views else "none"
            print(
                f"| {architecture} | {layer}:{unit} | {how} | {mine:.4f} | {other:.4f} | {mine / other:.2f} |",
                flush=True,
            )
            if not views:
                alone[architecture, layer] = mine
    share = alone["vgg16", "features.8"] / alone["vgg16", "class"]
    print(f"\nrelu2_2 of VGG16 costs {share:.2f} of the whole network's update")


if __name__ == "__main__":
    main()
