"""genviz: what does this network see?

A generator makes images, a frozen classifier looks at them, an objective scores what it saw,
regularizers charge for unnatural images, and an optimizer changes the generator.
"""

from genviz import torchvision_guard
from genviz.version import __version__

torchvision_guard.install()

__all__ = ["__version__"]
