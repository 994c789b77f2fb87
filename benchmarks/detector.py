"""A patch in the corner that blinds a detector (Lee & Kolter 2019), on scenes whose objects are known.

    python benchmarks/detector.py FOLDER               all of it; what is in the folder is not made again
    python benchmarks/detector.py FOLDER --updates 0   the detector alone
    python benchmarks/detector.py FOLDER --pictures    and scenes as PNGs in FOLDER/scenes, for genviz sticker

A small SSD of torchvision's is trained on drawn scenes: circles, squares and triangles of any colour before a texture.
Then genviz trains a patch of 48 x 48 pixels for the upper left corner of scenes of 128 x 128 that have nothing there.
Printed is the average precision (COCO's, at an overlap of 0.5) on scenes that neither has seen: without a patch, with
grey, noise and a square of an object's kind in its place, and with the patch as its 8-bit PNG has it, also with its
pixels in another order. `boxes.png` shows six of the scenes before and after.
"""

from __future__ import annotations

import argparse
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

import genviz  # isort: skip - before torchvision
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.ops import Conv2dNormActivation, FeaturePyramidNetwork, SqueezeExcitation, box_iou

from genviz.adversarial.average_precision import Truth, average_precision
from genviz.adversarial.stickers.boxes import SURE, drawn_boxes
from genviz.classifiers.detector import DetectorClassifier
from genviz.classifiers.frozen_detector import Detections
from genviz.generators.pixels import Pixels
from genviz.images.pictures import read_image, write_png
from genviz.transforms.transform import Transform

SIZE, PATCH, GAP = 128, 48, 4  # pixels
CLASSES = ("background", "circle", "square", "triangle")
TRAINING, HELD_OUT = 400, 200  # scenes for the patch
NORMS: dict[str, Callable[..., nn.Module]] = {"batch": nn.BatchNorm2d, "group": partial(nn.GroupNorm, 8)}


class Scene(NamedTuple):
    image: Tensor
    """(3, h, w), RGB in [0, 1]."""

    truth: Truth


class Backbone(nn.Module):
    """Maps of strides 8, 16 and 32 of a feature pyramid; its coarse ones see all of the picture, as in large detectors.

    Squeeze and excitation is MobileNetV3's; ``norm`` is a batch norm, or a group norm as in FCOS' head.
    """

    def __init__(self, norm: str) -> None:
        super().__init__()
        block = partial(Conv2dNormActivation, kernel_size=3, norm_layer=NORMS[norm])
        stem = [block(*widths, stride=2) for widths in ((3, 16), (16, 32))]
        self.fine = nn.Sequential(*stem, block(32, 64, stride=2), block(64, 64), SqueezeExcitation(64, 16))
        self.middle = nn.Sequential(block(64, 96, stride=2), block(96, 96), SqueezeExcitation(96, 24))
        self.coarse = nn.Sequential(
            block(96, 128, stride=2), block(128, 128), SqueezeExcitation(128, 32), block(128, 128)
        )
        self.pyramid = FeaturePyramidNetwork([64, 96, 128], 64)
        self.out_channels = [64, 64, 64]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        fine = self.fine(images)
        middle = self.middle(fine)
        found: dict[str, Tensor] = self.pyramid(OrderedDict(fine=fine, middle=middle, coarse=self.coarse(middle)))
        return found


def build(norm: str) -> SSD:
    """The detector, as ``classifier=detector classifier.builder=detector:build`` builds it."""
    boxes = DefaultBoxGenerator([[2]] * 3, scales=[0.2, 0.3, 0.45, 0.6])
    return SSD(Backbone(norm), boxes, (SIZE, SIZE), len(CLASSES), score_thresh=0.01)


def draw(seed: int, *, spared: int = 0) -> Scene:
    """One to four objects before a texture; none within ``spared`` pixels of the upper left corner."""
    random = torch.Generator().manual_seed(seed)

    def number(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=random))

    texture = sum(
        F.interpolate(torch.randn(1, 3, side, side, generator=random), (SIZE, SIZE), mode="bicubic") / side**0.5
        for side in (2, 4, 8, 16, 32)
    )
    assert isinstance(texture, Tensor)
    colour = torch.rand(3, 1, 1, generator=random)
    picture = (colour + 0.2 * texture[0]).clamp(0, 1)
    large = Image.fromarray((picture * 255).byte().permute(1, 2, 0).numpy()).resize((4 * SIZE, 4 * SIZE))
    pen, boxes, labels = ImageDraw.Draw(large, "RGBA"), [[0.0, 0.0, spared, spared]], []
    wanted = int(number(1, 5))
    for _ in range(60):
        side = number(22, 48)
        left, top = number(1, SIZE - 1 - side), number(1, SIZE - 1 - side)
        box = [left, top, left + side, top + side]
        apart = torch.tensor([box]) + torch.tensor([-GAP, -GAP, GAP, GAP])
        if box_iou(apart, torch.tensor(boxes)).max() > 0:
            continue
        label = 1 + int(number(0, 3))
        fill = (*(int(number(0, 256)) for _ in range(3)), int(number(120, 256)))
        x0, y0, x1, y1 = corners = [4 * value for value in box]
        if label == 1:
            pen.ellipse(corners, fill)
        elif label == 2:
            pen.rectangle(corners, fill)
        else:
            pen.polygon([((x0 + x1) / 2, y0), (x0, y1), (x1, y1)], fill)
        boxes.append(box)
        labels.append(label)
        if len(labels) == wanted:
            break
    image = torch.frombuffer(bytearray(large.resize((SIZE, SIZE), Image.Resampling.BOX).tobytes()), dtype=torch.uint8)
    image = image.view(SIZE, SIZE, 3).permute(2, 0, 1) / 255
    image = (image + 0.04 * torch.randn(image.shape, generator=random)).clamp(0, 1)  # a camera's noise
    return Scene(image, Truth(torch.tensor(boxes[1:]).view(-1, 4), torch.tensor(labels, dtype=torch.long)))


def scenes(first: int, count: int, *, spared: int = 0) -> list[Scene]:
    return [draw(seed, spared=spared) for seed in range(first, first + count)]


def train_detector(norm: str, steps: int, batch: int = 8) -> SSD:
    torch.manual_seed(0)
    detector = build(norm).train()
    optimizer = torch.optim.AdamW(detector.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    begin = time.perf_counter()
    for step in range(steps):
        seen = scenes(1_000_000 + step * batch, batch)
        truth = [scene.truth._asdict() for scene in seen]
        losses = detector([scene.image for scene in seen], truth)
        loss = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 200 == 199:
            print(f"step {step + 1}: loss {loss.item():.2f}, {time.perf_counter() - begin:.0f} s", flush=True)
    return detector.eval()


def pasted(images: Tensor, patch: Tensor) -> Tensor:
    """``images`` (n, 3, h, w) with ``patch`` (1, 3, rows, columns) in the upper left corner."""
    rows, columns = patch.shape[2:]
    right = torch.cat([patch.expand(len(images), -1, -1, -1), images[:, :, :rows, columns:]], 3)
    return torch.cat([right, images[:, :, rows:]], 2)


class Corner(Transform):
    """Some of the scenes, others in each update, with the image in their upper left corner."""

    def __init__(self, images: Tensor, count: int) -> None:
        super().__init__()
        self.images, self.count = images, count

    def forward(self, images: Tensor) -> Tensor:
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(int(self.update)))
        return pasted(self.images[order[: self.count]], images)


def report(name: str, images: Tensor, seen: list[Scene], classifier: DetectorClassifier) -> None:
    """Print how well the objects are found; boxes whose centre is the patch's count on their own."""
    truth = [scene.truth for scene in seen]
    everything = classifier.detect(images)
    apart = [((own.boxes[:, :2] + own.boxes[:, 2:]) / 2 > PATCH).any(1) for own in everything]
    found = [Detections(*(part[keep] for part in own)) for own, keep in zip(everything, apart, strict=True)]
    each = average_precision(found, truth)
    mean = 100 * sum(each.values()) / len(each)
    numbers = ", ".join(f"{CLASSES[number]} {100 * value:.1f}" for number, value in each.items())
    on_patch = sum(int(((own.scores > SURE) & ~keep).any()) for own, keep in zip(everything, apart, strict=True))
    there, right = 0, 0
    for own, objects in zip(found, truth, strict=True):
        sure = own.scores > SURE
        alike = own.labels[sure][:, None] == objects.labels
        right += int((alike & (box_iou(own.boxes[sure], objects.boxes) >= 0.5)).any(0).sum())
        there += len(objects.labels)
    print(
        f"{name}: average precision {mean:.1f} % ({numbers}); {right} of {there} objects found with more than {SURE}; "
        f"something on the patch in {on_patch} of {len(seen)} scenes",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--norm", choices=NORMS, default="group")
    parser.add_argument("--steps", type=int, default=800, help="of the detector's training")
    parser.add_argument("--updates", type=int, default=400, help="of the patch")
    parser.add_argument("--boxes", type=int, default=10, help="classifier.boxes while the patch is trained")
    parser.add_argument("--target", default="class:background")
    parser.add_argument("--objective", default="log_probability")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0, help="of the patch")
    parser.add_argument("--other", type=Path, help="a patch that was made for another detector, to be tried too")
    parser.add_argument("--pictures", action="store_true", help="write scenes as PNGs")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    weights, patch = folder / "detector.safetensors", folder / "patch.png"
    if arguments.pictures:
        (folder / "scenes").mkdir(exist_ok=True)
        for number, scene in enumerate(scenes(4_000_000, 2 * TRAINING, spared=PATCH + GAP)):
            pixels = scene.image.mul(255).round().byte().permute(1, 2, 0)
            write_png(folder / "scenes" / f"{number:03}.png", pixels, quick=True)
    if not weights.exists():
        save_file(train_detector(arguments.norm, arguments.steps).state_dict(), weights)
    load = partial(
        DetectorClassifier,
        builder="detector:build",
        arguments={"norm": arguments.norm},
        weights=str(weights),
        labels=CLASSES,
    )
    classifier = load()
    held_out = scenes(2_000_000, HELD_OUT, spared=PATCH + GAP)
    images = torch.stack([scene.image for scene in held_out])
    report("without a patch", images, held_out, classifier)
    others = {"grey": torch.full((1, 3, PATCH, PATCH), 0.5)}
    others["noise"] = torch.rand(1, 3, PATCH, PATCH, generator=torch.Generator().manual_seed(0))
    others["a square"] = F.pad(torch.full((1, 3, 30, 30), 0.9), (5, 5, 5, 5), value=0.2)
    for name, other in others.items():
        report(f"with {name}", pasted(images, other), held_out, classifier)
    if arguments.updates and not patch.exists():
        seen = torch.stack([scene.image for scene in scenes(3_000_000, TRAINING, spared=PATCH + GAP)])
        begin = time.perf_counter()
        made = genviz.visualize(
            load(boxes=arguments.boxes),
            arguments.target,
            generator=lambda streams: Pixels(size=(PATCH, PATCH), noise=0.5, streams=streams),
            transforms=Corner(seen, 16),
            objective=arguments.objective,
            regularizers=(),
            optimizer="adam",
            settings=[f"optimizer.lr={arguments.lr}"],
            updates=arguments.updates,
            seeds=arguments.seed,
            accelerator="cpu",
        )
        made.save(patch)
        print(f"the patch: {time.perf_counter() - begin:.0f} s")
    if patch.exists():
        attacked = pasted(images, read_image(patch))
        report("with the patch", attacked, held_out, classifier)
        order = torch.randperm(PATCH * PATCH, generator=torch.Generator().manual_seed(0))
        shuffled = read_image(patch).flatten(2)[..., order].view(1, 3, PATCH, PATCH)
        report("with its pixels shuffled", pasted(images, shuffled), held_out, classifier)
        if arguments.other is not None:
            report("with the other's patch", pasted(images, read_image(arguments.other)), held_out, classifier)
        rows = [
            torch.cat(
                [drawn_boxes(*own, CLASSES) for own in zip(some[:6], classifier.detect(some[:6]), strict=True)], 1
            )
            for some in (images, attacked)
        ]
        write_png(folder / "boxes.png", torch.cat(rows))


if __name__ == "__main__":
    main()
