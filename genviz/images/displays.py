"""The ways to display a picture."""

from __future__ import annotations

from typing import Literal

Display = Literal["rgb", "despraz", "stretch", "chollet"]
"""What the classifier saw; Despraz's square root and stretch; from the minimum to the maximum; a narrow grey mean."""
