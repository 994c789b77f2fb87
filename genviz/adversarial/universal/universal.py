"""genviz universal: one perturbation that fools a network in most pictures (Moosavi-Dezfooli et al. 2017)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from signal import Signals
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

import genviz
from genviz.adversarial.answers import check_classes, margins_of, named
from genviz.adversarial.success import Success
from genviz.adversarial.universal.by_deepfool import Way, by_deepfool
from genviz.adversarial.universal.by_gradient import by_gradient
from genviz.adversarial.universal.halves import Halves, halves
from genviz.adversarial.universal.results import Named, dominant, judge, rate_of, shuffled, table, write_examples
from genviz.adversarial.universal.steps import amplified, read_steps, whole_steps, write_steps
from genviz.adversarial.universal.transfer import write_transfer
from genviz.classifiers.frozen import FrozenClassifier
from genviz.errors import UserError
from genviz.files import read_json, set_aside, sha256, write_text
from genviz.images.folders import find_pictures
from genviz.images.pictures import write_png
from genviz.training import build, console, fingerprint, naming
from genviz.training.allocator import keep_freed_memory
from genviz.training.leftovers import make_folders, make_way
from genviz.training.logged_pictures import log_pictures
from genviz.training.looking import looking
from genviz.training.run_folders import claimed

_OTHERS = ("other", "second_other")
_FILES = ("perturbation.png", "shown.png", "fooled.csv", "sheet.png", "results.json")


def universal(config: DictConfig) -> int:
    """Make the perturbation, write it, and measure what is written on the held-out pictures; return the exit code.

    Raises:
        UserError: a setting cannot work, or there are not two pictures.
    """
    keep_freed_memory()
    others = {part: config[part] for part in _OTHERS if config.get(part) is not None}
    outline = build.sketch(config.classifier)
    check_classes(outline)
    for part, settings in others.items():
        check_classes(build.sketch(settings), part)
    find_pictures(config.data, "data")
    console.warn(naming.note(config))
    classifier = looking(config)
    networks = {naming.classifier_name(config): classifier}
    for part, settings in others.items():
        networks[naming.classifier_name(config, part)] = build.classifier(settings).to(classifier.device)
    if len(networks) <= len(others):
        raise UserError("the networks must be different ones: classifier, other and second_other")
    read = halves(config.data, outline.input_size)
    outputs, checkpoint = _folders(config)
    with claimed(outputs, apart="tag=NAME"):
        return _run(config, networks, read, outputs, checkpoint)


def _run(
    config: DictConfig, networks: Mapping[str, FrozenClassifier], read: Halves, outputs: Path, checkpoint: Path
) -> int:
    name, classifier = next(iter(networks.items()))
    identity = fingerprint.of_universal(config, classifier.weights_sha256, read.used.digest)
    tried = {"held out": read.held_out.digest}
    tried |= {f"network {other}": network.weights_sha256 for other, network in networks.items()}
    if config.resume and _is_done(outputs, identity, tried):
        print(f"done: {outputs / 'results.json'} (resume=false starts over)")
        return 0
    if not config.resume:
        for path in (checkpoint, outputs):
            set_aside(path)
    make_folders((outputs, checkpoint.parent, outputs / "examples"))
    make_way(outputs / file for file in _FILES)
    _told(name, read)
    known = named(classifier, read.used.images, config.at_once)
    made = _made(config, classifier, read, known, outputs, checkpoint, identity)
    if isinstance(made, Signals):
        print(f"{made.name}, saved: {checkpoint}; {console.again(resume=config.resume)} continues from there")
        return 128 + made
    about = {"Software": f"genviz {genviz.__version__}", "classifier": name, "xi": f"{config.xi:.6g}"}
    write_steps(outputs / "perturbation.png", whole_steps(made, config.xi, config.norm), about | {"zero": "128"})
    steps = read_steps(outputs / "perturbation.png")
    write_png(outputs / "shown.png", amplified(steps), about)
    results = _measured(config, networks, read, known, outputs, steps)
    results |= {"identity": identity, "tried": tried}
    results["files"] = {file: sha256(outputs / file) for file in _FILES[:-1]}
    write_text(outputs / "results.json", json.dumps(results, indent=2) + "\n")
    transfer = write_transfer(outputs.parent.parent)
    where = log_pictures(
        config,
        outputs,
        f"universal perturbation of {name}",
        {"perturbation": outputs / "shown.png", "sheet": outputs / "sheet.png"},
    )
    print(f"\nperturbation {outputs / 'perturbation.png'}, made visible: {outputs / 'shown.png'}")
    print(f"sheet       {outputs / 'sheet.png'}\ntables      {outputs / 'fooled.csv'}, {transfer}")
    print(f"numbers     {outputs / 'results.json'}\nrun         {where}", flush=True)
    return 0


def _made(
    config: DictConfig,
    classifier: FrozenClassifier,
    read: Halves,
    known: Named,
    outputs: Path,
    checkpoint: Path,
    identity: Mapping[str, str],
) -> Tensor | Signals:
    """The perturbation (3, h, w) of the used half, by the configured method; or the signal that ended it."""
    images, labels = read.used.images, known[0]
    if config.method == "gradient":
        return by_gradient(config, classifier, images, labels, folder=outputs, checkpoint=checkpoint, identity=identity)

    def rate(values: Tensor) -> float:
        judged = judge(classifier, images, whole_steps(values, config.xi, config.norm), config.at_once, known)
        return float(judged.fooled.float().mean())

    settings = build.plain(config)["deepfool"]
    way = Way(config.xi, config.norm, config.fooled, config.passes, config.seed, settings)
    return by_deepfool(
        margins_of(classifier),
        images,
        labels,
        way,
        checkpoint=checkpoint,
        identity=identity,
        every=config.checkpoint_every,
        rate=rate,
    )


def _measured(
    config: DictConfig,
    networks: Mapping[str, FrozenClassifier],
    read: Halves,
    known: Named,
    outputs: Path,
    steps: Tensor,
) -> dict[str, Any]:
    """Measure the perturbation as written, print and write what is found; the numbers as plain data."""
    name, classifier = next(iter(networks.items()))
    judged = {}
    print(f"\nfooled of the {len(read.held_out.names)} held-out pictures, with 95 % intervals:")
    for other, network in networks.items():
        judged[other] = judge(network, read.held_out.images, steps, config.at_once)
        print(f"  {Success(int(judged[other].fooled.sum()), len(read.held_out.names))!s:28} {other}", flush=True)
    own, labels = judged[name], classifier.outline.labels
    before = own.before, own.chance_before
    noise = judge(classifier, read.held_out.images, shuffled(steps, config.seed), config.at_once, before)
    used = judge(classifier, read.used.images, steps, config.at_once, known)
    print(f"  {Success(int(noise.fooled.sum()), len(noise.fooled))!s:28} {name}, by the same values at shuffled places")
    print(f"and of the {len(read.used.names)} used: {Success(int(used.fooled.sum()), len(used.fooled))}")
    most = dominant(own, labels)
    for each in most[:5]:
        print(f"  {each['share']:4.0%} of the fooled become {each['label']}")
    write_text(outputs / "fooled.csv", table(read.held_out, judged, {n: k.outline.labels for n, k in networks.items()}))
    write_examples(outputs / "examples", read.held_out, own, steps, labels)
    return {
        "classifier": name,
        "method": config.method,
        "norm": config.norm,
        "xi": config.xi,
        "largest_step": int(steps.abs().max()),
        "root_mean_square": float(steps.float().square().mean().sqrt() / 255),
        "size": list(steps.shape[1:]),
        "networks": {other: rate_of(each.fooled) for other, each in judged.items()},
        "shuffled": rate_of(noise.fooled),
        "used": rate_of(used.fooled),
        "dominant": most,
        "classes_after": len(own.after[own.fooled].unique()),
        "damaged": read.damaged,
        "repeated": read.repeated,
        "genviz": genviz.__version__,
    }


def _told(name: str, read: Halves) -> None:
    left = [f"{len(found)} {what}" for found, what in ((read.damaged, "damaged"), (read.repeated, "repeated")) if found]
    out = f"; left out: {', '.join(left)}" if left else ""
    print(f"{name}: {len(read.used.names)} pictures are used, {len(read.held_out.names)} held out{out}", flush=True)


def _folders(config: DictConfig) -> tuple[Path, Path]:
    """The folder of the outputs, and the checkpoint."""
    own = f"{config.method}-{config.norm}-{255 * config.xi:.4g}"
    rest = Path("universal") / naming.classifier_name(config) / (own if config.tag is None else f"{own}-{config.tag}")
    outputs, checkpoints = (Path(config.paths[root]).expanduser() for root in ("outputs", "checkpoints"))
    return outputs / rest, checkpoints / rest / "last.ckpt"


def _is_done(outputs: Path, identity: Mapping[str, str], tried: Mapping[str, str]) -> bool:
    try:
        results = read_json(outputs / "results.json")
        same = results["identity"] == dict(identity) and results["tried"] == dict(tried)
        return same and all(sha256(outputs / file) == digest for file, digest in results["files"].items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
