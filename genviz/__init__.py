"""genviz: what does this network see?

A generator makes images, a frozen classifier looks at them, an objective scores what it saw,
regularizers penalize unnatural images, and an optimizer changes the generator.

    import genviz
    genviz.visualize("embedded", "class:harmonica")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genviz.classifiers import torchvision_guard

if TYPE_CHECKING:
    from genviz.analysis.contributions import contributions
    from genviz.analysis.explain import Explanation, explain
    from genviz.analysis.fooling import Fooled, fool
    from genviz.analysis.tracing import Trace, trace
    from genviz.analysis.visualization import Visualization, visualize
    from genviz.classifiers.from_module import from_module
    from genviz.errors import UserError
    from genviz.interfaces import Classifier, Generator, Objective, Regularizer
    from genviz.reports.review.write import review
    from genviz.targets.grammar import Target, parse_target
    from genviz.training.loading import load_classifier
    from genviz.training.verdict import Verdict, judge

__version__ = "0.1.0"  # packaging reads it here
__all__ = [
    "Classifier",
    "Explanation",
    "Fooled",
    "Generator",
    "Objective",
    "Regularizer",
    "Target",
    "Trace",
    "UserError",
    "Verdict",
    "Visualization",
    "contributions",
    "explain",
    "fool",
    "from_module",
    "judge",
    "load_classifier",
    "parse_target",
    "review",
    "trace",
    "visualize",
]
_HOMES = {
    "contributions": "analysis.contributions",
    **dict.fromkeys(("Explanation", "explain"), "analysis.explain"),
    **dict.fromkeys(("Fooled", "fool"), "analysis.fooling"),
    **dict.fromkeys(("Trace", "trace"), "analysis.tracing"),
    "Visualization": "analysis.visualization",
    "visualize": "analysis.visualization",
    "from_module": "classifiers.from_module",
    "UserError": "errors",
    **dict.fromkeys(("Classifier", "Generator", "Objective", "Regularizer"), "interfaces"),
    "review": "reports.review.write",
    **dict.fromkeys(("Target", "parse_target"), "targets.grammar"),
    "load_classifier": "training.loading",
    **dict.fromkeys(("Verdict", "judge"), "training.verdict"),
}
"""The module of each name, imported when it is first asked for: torch and Lightning take seconds."""

torchvision_guard.install()


def __getattr__(name: str) -> Any:
    if name == "callbacks":
        return import_module("genviz.callbacks")
    if name not in _HOMES:
        raise AttributeError(f"module 'genviz' has no attribute '{name}'")
    return getattr(import_module(f"genviz.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
