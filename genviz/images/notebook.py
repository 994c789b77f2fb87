"""Pictures and tables as a notebook shows them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from jinja2 import Environment
from PIL import Image
from torch import Tensor

_PAGES = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
_PICTURES = _PAGES.from_string(
    """<div style="display: flex; flex-wrap: wrap; gap: 12px">
{% for picture, caption in pictures %}
<figure style="margin: 0; max-width: {{ side }}px">
<img src="data:image/png;base64,{{ picture }}" style="width: 100%; image-rendering: auto" alt="{{ caption }}">
<figcaption style="font-size: 85%">{{ caption }}</figcaption>
</figure>
{% endfor %}
</div>"""
)
_TABLE = _PAGES.from_string(
    """{% if title %}
<p>{{ title }}</p>
{% endif %}
<table>
<thead><tr>{% for name in head %}<th style="text-align: left">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr>{% for cell in row %}<td style="text-align: left">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>"""
)


def pictures_html(pictures: Sequence[tuple[Tensor, str]], side: int = 256) -> str:
    """HTML of pictures side by side, each with its caption.

    Args:
        pictures: each as bytes (h, w, 3), and its caption.
        side: width of each at most, in pixels.
    """
    return _PICTURES.render(pictures=[(_png(pixels), caption) for pixels, caption in pictures], side=side)


def table_html(head: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> str:
    """HTML of a table."""
    return _TABLE.render(head=head, rows=rows, title=title)


def _png(pixels: Tensor) -> str:
    written = io.BytesIO()
    Image.fromarray(pixels.cpu().numpy()).save(written, format="PNG")
    return base64.b64encode(written.getvalue()).decode()
