import base64
import io

import torch
from PIL import Image

from genviz.images.notebook import pictures_html, table_html


def test_a_picture_is_in_the_page_and_its_caption_is_text():
    pixels = torch.randint(0, 256, (4, 6, 3), dtype=torch.uint8)
    page = pictures_html([(pixels, "<b>tench</b> & co")])
    assert "&lt;b&gt;tench&lt;/b&gt; &amp; co" in page
    assert "<b>" not in page
    data = page.partition("base64,")[2].partition('"')[0]
    shown = Image.open(io.BytesIO(base64.b64decode(data)))
    assert torch.equal(torch.tensor(list(shown.tobytes())), pixels.flatten().long())


def test_a_table_has_its_rows_as_text():
    page = table_html(["layer", "shape"], [["<conv>", "3 x 4"], ["relu", 5]], title="a & b")
    assert "<td" in page
    assert "&lt;conv&gt;" in page
    assert "<conv>" not in page
    assert "a &amp; b" in page
    assert page.count("<tr>") == 3
