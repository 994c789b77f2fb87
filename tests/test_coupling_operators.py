"""What an update asks of the device: as many operations for many targets as for few, and never to wait."""

from collections import Counter

import pytest
import torch
from noisy_pictures import noise
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from genviz.sweeps.queue import Waiting
from genviz.training import build, configuration
from genviz.training.batch import Batch

DECODER = ["generator.widths=[16,8,8]", "generator.kernels=[2,3,3]"]
FOUR = {
    "untrained": ["generator=untrained", *DECODER],
    "pretrained": ["generator=pretrained"],
    "pixels": ["generator=pixels", "optimizer=adam"],
    "fourier": ["experiment=natural_views", "transform=[views,flip,colours,dropout]", "generator.size=[32,32]"],
}
KINDS = ["class:{}", "filter:relu2_1:{}", "neuron:conv1_1:{}:3:4", "class:{}@0.5+filter:relu2_1:4", "layer:relu3_1"]


class Operations(TorchDispatchMode):
    """Counts the operations, and the tensors that change their device."""

    def __init__(self):
        super().__init__()
        self.count, self.moved = Counter(), Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        self.count[str(operation)] += 1
        given, made = ({each.device.type for each in tree_leaves(values) if isinstance(each, torch.Tensor)}
                       for values in ((args, kwargs), result))  # fmt: skip
        if given and given != made:
            self.moved[f"from {given} to {made}"] += 1
        return result


def coupled(tmp_path, targets, *words, classifier=None):
    """The coupling of a batch of these targets."""
    words = ["classifier=small", "classifier.weights=random", "classifier.input_size=32", "together=true", *words]
    config = configuration.compose("train", ["target=class:0", *words, f"paths.outputs={tmp_path}"])
    classifier = classifier or build.classifier(config.classifier)
    outline = classifier.outline
    asked = [build.parse_target(text, outline.labels, outline.layers) for text in targets]
    waiting = Waiting(config, asked, classifier)
    return Batch([waiting.run(target) for target in asked]).coupling


def updated(coupling):
    """Make an update; return what was asked of the device, but by the optimizer, which keeps its count on the host."""
    made = coupling.configure_optimizers()
    optimizer = made["optimizer"] if isinstance(made, dict) else made
    with Operations() as asked:
        for _ in range(2):  # the first also fetches what later ones keep
            asked.count.clear(), asked.moved.clear()
            optimizer.zero_grad()
            coupling.training_step(None, 0)["loss"].backward()
    optimizer.step()
    return asked


@pytest.mark.parametrize("words", FOUR.values(), ids=FOUR)
def test_many_targets_take_as_many_operations_as_few(tmp_path, words):
    counts = {}
    for count in (1, 5, 65):
        targets = [KINDS[number % 5].format(number // 5) for number in range(count)]
        counts[count] = updated(coupled(tmp_path, targets, *words).to("meta")).count  # nothing is computed
    assert counts[5] == counts[65]
    assert counts[1].total() < counts[5].total()  # of one kind in one layer


@pytest.mark.parametrize("words", FOUR.values(), ids=FOUR)
def test_one_target_takes_no_more(tmp_path, words):
    all_kinds = "class:{}+filter:relu2_1:{}+neuron:conv1_1:{}:3:4"
    one, many = (
        updated(
            coupled(tmp_path, [all_kinds.replace("{}", str(n)) for n in range(count)], *words).to("meta")
        ).count.total()
        for count in (1, 9)
    )
    assert 0.9 * many < one <= many  # a little less, where there is nothing to be spread over the images


ALL = {
    **FOUR,
    "despraz2017": ["experiment=despraz2017", *DECODER],
    "pretrained_views": ["experiment=pretrained_views"],
    "maco": ["experiment=maco_views", "generator.size=[32,32]"],
    "fel2023": ["experiment=fel2023", "generator.size=[32,32]"],
    "maximization": ["experiment=mahendran2016_maximization"],
    "regularizers": [
        *("generator=pixels", "regularizer.image_norm.order=2"),
        "regularizer=[blur,bounded_range,difference_norm,image_norm,total_variation_beta]",
    ],
    "probability": ["objective=probability"],
}
WITH_A_PICTURE = {
    "inversion": ["experiment=mahendran2016_inversion"],
    "caricature": ["experiment=mahendran2016_caricature"],
    "deepdream": ["experiment=kocur2021_deepdream"],
    **{name: [f"objective={name}"] for name in ("content", "cosine", "style")},
}


@pytest.mark.parametrize("name", [*ALL, *WITH_A_PICTURE])
def test_nothing_in_an_update_waits_for_the_device(tmp_path, name):
    """On torch's meta device, from which nothing can be read."""
    picture = tmp_path / "a.png"
    noise((40, 40), 60).convert("RGB").save(picture)
    words = ALL.get(name) or [*WITH_A_PICTURE[name], f"image={picture}", f"style={picture}"]
    targets = ["layer:relu2_1", "layer:relu3_1"] if name in WITH_A_PICTURE else ["class:1", "class:2@2+3"]
    coupling = coupled(tmp_path, targets, *words).to("meta")
    draws = updated(coupling).moved
    assert set(draws) <= {"from {'cpu'} to {'meta'}"}  # random numbers
    assert draws.total() <= 8
