"""genviz: what does this network see?

A generator makes images, a frozen classifier looks at them, an objective scores what it saw,
regularizers charge for unnatural images, and an optimizer changes the generator.
"""

from genviz.classifiers import torchvision_guard

__all__ = ["__version__"]

__version__ = "0.1.0"  # packaging reads it here

torchvision_guard.install()
