"""A network whose first filter is a known template, and pictures that hold it in known places."""

import torch
from PIL import Image
from torch import nn

SIDE, GRID = 5, 32  # of the template, and of the pictures
LABELS = ("first", "second")
WORDS = [
    "classifier=module",
    "classifier.builder=template_network:network",
    "classifier.weights=random",
    f"classifier.input_size={GRID}",
    "classifier.input_space={mean:[0.5,0.5,0.5],std:[1,1,1]}",
    "classifier.labels=[first,second]",
    "trainer.accelerator=cpu",
]


def templates():
    """Four templates of -1 and 1 in RGB, (4, 3, 5, 5); the last is the opposite of the first."""
    drawn = torch.randint(0, 2, (3, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(3)) * 2.0 - 1
    return torch.cat([drawn, -drawn[:1]])


def network():
    """conv, ReLU, pool; grey is 0 to it. Its fourth filter fires for what the first is silent for; the fifth never."""
    conv = nn.Conv2d(3, 5, SIDE, padding=SIDE // 2)
    with torch.no_grad():
        conv.weight.copy_(torch.cat([templates(), torch.zeros(1, 3, SIDE, SIDE)]))
        conv.bias.zero_()
        conv.bias[4] = -1
    return nn.Sequential(conv, nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2))


def picture(path, *stamps):
    """Write a grey picture with the first template around each (row, column), in that contrast."""
    pixels = torch.full((3, GRID + 8, GRID + 8), 0.5)
    for (row, column), contrast in stamps:
        pixels[:, row + 2 : row + 7, column + 2 : column + 7] += contrast / 2 * templates()[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = (pixels[:, 4 : 4 + GRID, 4 : 4 + GRID].clamp(0, 1) * 255).round().byte()
    Image.fromarray(whole.permute(1, 2, 0).numpy()).save(path)


PLACES = {
    "a/00.png": [((10, 20), 0.30)],
    "a/01.png": [((12, 5), 0.90), ((20, 25), 0.80)],  # twice: one patch
    "a/02.png": [((0, 0), 1.00)],  # only a quarter of it is in the picture
    "a/03.png": [((6, 6), 0.10)],
    "b/04.png": [((31, 16), 1.00)],
    "b/05.png": [((16, 31), 0.70)],
    "b/06.png": [((9, 9), 0.50)],
    "b/07.png": [((25, 14), 0.60)],
    "b/08.png": [((3, 28), 0.40)],
    "b/09.png": [((15, 15), 0.05)],
    "b/10.png": [((8, 22), 1.00)],
    "b/11.png": [((22, 8), 0.20)],
    "b/12.png": [],
}


def folder(root):
    """Write them all below ``root``."""
    for name, stamps in PLACES.items():
        picture(root / name, *stamps)
    return root


def ranked():
    """The nine that make the first filter fire most, with the place: by the share that is seen, times the contrast."""
    found = []
    for name, stamps in PLACES.items():
        seen = [(contrast * share(place), place) for place, contrast in stamps]
        found += [(*max(seen), name)] if seen else []
    return [(name, place) for _, place, name in sorted(found, reverse=True)[:9]]


def share(place):
    """The part of the template around ``place`` that lies in the picture."""
    inside = [min(GRID, at + 3) - max(0, at - 2) for at in place]
    return inside[0] * inside[1] / SIDE**2
