"""What the attacks of one command share: its pictures, its networks, and what was found out already."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from tqdm.auto import tqdm

import genviz
from genviz.adversarial.examples.attack import objective_of, pictures_at_once
from genviz.adversarial.examples.attacker import Attacker, Picture, Plan
from genviz.adversarial.examples.methods import Method, find_method
from genviz.adversarial.examples.outcomes import Outcome
from genviz.adversarial.examples.settings import RANDOM, norm_of, size_of
from genviz.errors import UserError
from genviz.files import prepare_folder
from genviz.images.given import decoded, folder_for, given_pictures, named, readable
from genviz.interfaces import Outline
from genviz.targets.grammar import Target
from genviz.targets.labels import class_of_folder
from genviz.targets.selections import find_selections
from genviz.training import build, console, naming
from genviz.training.looking import looking
from genviz.training.signals import EndedError, noticing
from genviz.training.trainer import one_device


class Session:
    """The configured pictures and networks.

    Attributes:
        target: None: each picture has its own.
        random: whether that is a random class; if not, it is away from what the network says.
        names: of the pictures.
        places: the folder of each that was decoded in the last attack, by its name.

    Raises:
        UserError: a setting cannot work, or there is no picture.
    """

    def __init__(self, config: DictConfig) -> None:
        self.config, self.outline = config, build.sketch(config.classifier)
        self.random = config.choices.asked_for == RANDOM
        self.target = None if self.random else _target(config, self.outline)
        if find_method(config.method).is_smallest and (self.target is not None or self.random or config.sweep):
            raise UserError("method=deepfool finds its own way from what the network says: no target, no sweep")
        if size_of(config, "epsilon") is None and self.target is not None and not self.target.is_of_classes:
            raise UserError(f"epsilon=min is the least that changes a class; for target={config.target}, give a number")
        self.files = given_pictures(build.plain(config)["image"])
        self.names, self._truths = named(self.files), _truths(self.files, config.truth, self.outline)
        console.warn(naming.note(config))
        self.classifier = looking(config)
        asked = config.get("other")
        self.other = None if asked is None else build.classifier(asked).to(self.classifier.device)
        self.places: dict[str, str] = {}

    def plan(self, epsilons: Sequence[float], method: Method | None = None) -> Plan:
        """The configured attack, or another ``method``, with these epsilons."""
        wanted = method or find_method(self.config.method)
        number, size = (None, None) if method else (self.config.steps, size_of(self.config, "step"))
        return Plan(
            self.target,
            tuple(epsilons),
            lambda most: wanted.steps(most, number, size),
            norm_of(self.config),
            self.config.restarts,
            wanted.is_smallest,
            self.random,
        )

    def attack(
        self, plan: Plan, folder: Path, about: dict[str, Any], only: Collection[str] | None = None, title: str = ""
    ) -> dict[str, Outcome | str]:
        """Attack the pictures; by name, the outcome, or why it was left alone. What is in ``folder`` is kept.

        Args:
            about: what the outcomes depend on.
            only: the names of some pictures; None: all.

        Raises:
            EndedError: a signal ended it; what was done is kept.
        """
        prepare_folder(folder)
        self.places = {}
        trainer = one_device(build.plain(self.config)["trainer"], 0)
        attacker = Attacker(self.classifier, self.other, plan, folder, trainer)
        wanted = set(self.names if only is None else only)
        chosen = [n for n, name in enumerate(self.names) if name in wanted]
        found: dict[str, Outcome | str] = {}
        waiting: list[Picture] = []
        name_of: dict[str, str] = {}  # by its folder's
        at_once = self.config.at_once or pictures_at_once(self.outline.input_size)
        with (
            noticing() as noticed,
            tqdm(total=len(chosen), unit="picture", desc=title, delay=2, dynamic_ncols=True) as bar,
        ):

            def attack() -> None:
                for picture, outcome in attacker.attack(waiting, lambda: bool(noticed)):
                    found[name_of[picture.name]] = outcome
                    bar.update()
                waiting.clear()
                fooled = [o.success for o in found.values() if isinstance(o, Outcome) and o.success is not None]
                bar.set_postfix_str(f"{sum(fooled)} of {len(fooled)} fooled" if fooled else "")
                if noticed:
                    raise EndedError(noticed[0])

            for place, image in decoded([self.files[n] for n in chosen], self.outline.input_size):
                number = chosen[place]
                name, file, seed = self.names[number], self.files[number], (self.config.seed + number) % 2**32
                own = folder_for(folder, named([file])[0], file, name_of).name
                self.places[name], name_of[own] = own, name
                key = _key(about, file, seed)
                known = attacker.known(own, key)
                if known is not None:
                    found[name] = known
                    bar.update()
                    continue
                waiting.append(Picture(own, key, image, seed, self._truths[number]))
                if len(waiting) == at_once:
                    attack()
            if waiting:
                attack()
        return {name: found[name] for name in self.names if name in found}

    def about(self, **more: Any) -> dict[str, Any]:
        """Everything that outcomes depend on, but for the picture."""
        names = ("method", "epsilon", "norm", "steps", "step", "restarts", "seed", "truth")
        other = self.other
        return {
            "classifier": naming.classifier_name(self.config),
            "weights": self.classifier.weights_source,
            "weights_sha256": self.classifier.weights_sha256,
            "classifier_settings": build.deciding(self.config.classifier),
            "labels_sha256": _digest(self.outline.labels),
            "input_size": list(self.outline.input_size),
            "other": None if other is None else other.weights_source,
            "other_sha256": None if other is None else other.weights_sha256,
            "other_settings": None if other is None else build.deciding(self.config.other),
            "other_labels_sha256": None if other is None else _digest(other.outline.labels),
            "target": self._name,
            **{name: build.plain(self.config)[name] for name in names},
            "precision": str(self.config.trainer.get("precision")),
            "genviz": genviz.__version__,
            **more,
        }

    @property
    def _name(self) -> str:
        return str(self.target) if self.target is not None else RANDOM if self.random else "away"

    def folder(self, epsilon: str) -> Path:
        """Where an attack's files go."""
        how = f"{find_method(self.config.method).name}-{norm_of(self.config)}-{epsilon.replace('/', '-over-')}"
        target = self._name if self.target is None else self.target.folder
        place = Path(self.config.paths.outputs).expanduser() / "fool" / naming.classifier_name(self.config)
        return place / how / target


def _target(config: DictConfig, outline: Outline) -> Target | None:
    """The configured target, which can be attacked.

    Raises:
        UserError: it cannot.
    """
    if config.target is None:
        return None
    if find_selections(config.target):
        raise UserError(f"target={config.target}: name the filters by numbers; genviz contributions finds them")
    target = build.target(config, outline)
    objective_of([target], outline, torch.zeros(1, 3, *outline.input_size))
    return target


def _truths(files: Sequence[Path], said: str | None, outline: Outline) -> list[int | None]:
    """The class of each picture, by its folder's or its file's name.

    Raises:
        UserError: it is none of the network's.
    """
    found: list[int | None] = []
    for path in files:
        folder = Path(os.path.abspath(path)).parent.name  # noqa: PTH100 - where it is called so, not where a link leads
        word = folder if said == "folder" else path.stem.partition("_")[2] or path.stem
        try:
            found.append(None if said is None else class_of_folder(word.replace("_", " "), outline.labels))
        except UserError as error:
            raise UserError(f"truth={said}: {readable(path.name)}: {error}") from None
    return found


def _key(about: dict[str, Any], path: Path, seed: int) -> str:
    facts = path.stat()
    return _digest([about, str(path.resolve()), facts.st_size, facts.st_mtime_ns, seed])


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode(errors="surrogateescape")).hexdigest()
