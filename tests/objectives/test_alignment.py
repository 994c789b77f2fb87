import numpy as np
import pytest
import torch
from conftest import TinyClassifier
from PIL import Image

from genviz.classifiers.outline import sketch
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.images.pictures import read_upright
from genviz.interfaces import Layer, Outline
from genviz.objectives.alignment import Alignment, _best
from genviz.targets.grammar import parse_target

NAMES = ("a.png", "b.png", "deep/c.png", "d.png")


@pytest.fixture
def folder(tmp_path):
    """Four pictures of 12 x 12 pixels, the later the brighter."""
    draw = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pixels = draw.integers(0, 60 * (number + 1), (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


def made(folder, text="class:harmonica", classifier=None, **settings):
    outline = (classifier or TinyClassifier()).outline
    targets = text if isinstance(text, list) else parse_target(text, outline.labels, outline.layers)
    return Alignment(targets, outline, pictures=str(folder), **settings)


def remembering(folder, classifier, *given, **settings):
    objective = made(folder, *given, classifier=classifier, **settings)
    objective.remember(classifier, (12, 12))
    return objective


def ordered(channel):
    return sorted(channel.flatten().tolist())


def test_it_is_sort_matching_channel_by_channel(folder, classifier):
    """Görgün et al. 2025 and its code: each channel's numbers in their order, less the pictures' mean of theirs."""
    objective = remembering(folder, classifier, layers="layer:conv1@0.5+relu1", weight=3.0)
    torch.manual_seed(0)
    seen = classifier(torch.rand(2, 3, 12, 12), objective.layers)
    real = [classifier(read_upright(folder / name), objective.layers) for name in NAMES]
    for n, score in enumerate(objective(seen)):
        total = 0.0
        for layer, weight in (("conv1", 0.5), ("relu1", 1.0)):
            squares = []
            for channel in range(4):
                references = [ordered(each[layer][0, channel]) for each in real]
                means = [sum(numbers) / len(numbers) for numbers in zip(*references, strict=True)]
                own = ordered(seen[layer][n, channel])
                squares += [(a - b) ** 2 for a, b in zip(own, means, strict=True)]
            total += weight * sum(squares) / len(squares)
        assert score.item() == pytest.approx(-total, rel=1e-4)
        assert objective.measure(seen)["alignment loss"][n].item() == pytest.approx(total, rel=1e-4)
    assert objective.weight == 3


def test_the_same_picture_is_aligned_wherever_its_parts_are(folder, classifier):
    objective = remembering(folder / "deep", classifier)
    seen = classifier(read_upright(folder / "deep" / "c.png"), objective.layers)["relu1"]
    assert objective({"relu1": seen}).abs().item() < 1e-10
    torch.manual_seed(0)
    moved = torch.stack([channel.flatten()[torch.randperm(100)].view(10, 10) for channel in seen[0]])[None]
    assert not torch.equal(moved, seen)
    assert objective({"relu1": moved}).abs().item() < 1e-10
    assert objective({"relu1": seen.flip(1)}).item() < -1e-5  # a channel is not another
    assert objective({"relu1": seen + 0.1}).item() == pytest.approx(-0.01, rel=1e-3)


def test_the_gradient_is_right(folder, classifier):
    objective = remembering(folder, classifier).double()
    torch.manual_seed(0)
    seen = torch.rand(2, 4, 10, 10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: objective({"relu1": x}), seen)


@pytest.mark.parametrize(
    ("text", "layer", "place"),
    [("class:cardigan", "scores", (3,)), ("filter:relu1:2", "relu1", (2,)), ("neuron:conv1:1:3:4", "conv1", (1, 3, 4))],
)  # fmt: skip
def test_of_more_pictures_it_takes_those_that_the_target_responds_to_most(folder, classifier, text, layer, place):
    def response(name):
        activation = classifier(read_upright(folder / name), [layer])[layer][0]
        for index in place:
            activation = activation[index]
        return activation.mean().item()

    *worst, second, first = sorted(NAMES, key=response)
    text = "class:3" if text.startswith("class") else text
    objective = remembering(folder, classifier, text, count=2)
    for names, same in (((second, first), True), (worst, False)):
        alone = [classifier(read_upright(folder / name), ["relu1"])["relu1"][0].flatten(1) for name in names]
        mean = (alone[0].sort(1).values + alone[1].sort(1).values) / 2
        assert torch.allclose(objective.wanted["relu1"][0], mean, atol=1e-6) is same


def test_the_classes_of_a_sweep_share_a_look(folder, monkeypatch):
    classifier, looks = TinyClassifier(), []
    looked = classifier.forward
    monkeypatch.setattr(classifier, "forward", lambda images, layers: looks.append(layers) or looked(images, layers))
    parts = [made(folder, f"class:{number}", classifier=classifier, count=1) for number in range(3)]
    targets = [part.targets.each[0] for part in parts]
    together = made(folder, targets, classifier=classifier, count=1)
    together.remember(classifier, (12, 12))
    assert looks.count(("scores",)) == 4  # and then each its own picture
    assert len(looks) == 4 + 3
    seen = looked(torch.rand(6, 3, 12, 12), ["relu1"])  # two views of each
    for part in parts:
        part.remember(classifier, (12, 12))
    alone = [part({"relu1": own}) for part, own in zip(parts, seen["relu1"].split(2), strict=True)]
    torch.testing.assert_close(together(seen), torch.cat(alone))
    assert len(set(together(looked(torch.rand(1, 3, 12, 12).expand(3, -1, -1, -1), ["relu1"])).tolist())) > 1


def test_it_sees_the_middle_of_a_picture(tmp_path, classifier):
    pixels = np.full((40, 120, 3), 255, dtype=np.uint8)
    pixels[:, 30:90] = (10, 120, 40)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    objective = remembering(tmp_path, classifier)
    colour = torch.tensor([10.0, 120.0, 40.0]).view(1, 3, 1, 1).expand(1, 3, 12, 12) / 255
    assert objective(classifier(colour, objective.layers)).abs().item() < 1e-8


def test_in_images_of_another_size_the_distribution_counts(folder, classifier):
    objective = remembering(folder, classifier)
    objective.wanted = {"relu1": torch.linspace(0, 1, 101).expand(1, 4, 101)}
    assert objective({"relu1": torch.linspace(0, 1, 36).view(1, 1, 6, 6).expand(1, 4, 6, 6)}).abs().item() < 1e-10
    assert objective({"relu1": 1 - torch.linspace(0, 1, 201).expand(1, 4, 201)}).abs().item() < 1e-10
    assert objective({"relu1": torch.linspace(0, 2, 36).view(1, 1, 6, 6).expand(1, 4, 6, 6)}).item() < -0.1


def test_a_damaged_picture_is_left_out_and_none_is_too_few(folder, classifier):
    whole = remembering(folder, classifier)
    (folder / "broken.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="left out: cannot read the picture .*broken.png"):
        objective = remembering(folder, classifier)
    torch.testing.assert_close(objective.wanted["relu1"], whole.wanted["relu1"])
    for name in NAMES:
        (folder / name).unlink()
    with pytest.warns(UserWarning, match="left out"), pytest.raises(UserError, match="none of its 1 pictures"):
        remembering(folder, classifier)


def test_what_is_remembered_goes_where_the_objective_goes(folder, classifier):
    objective = remembering(folder, classifier)
    assert objective.double().wanted["relu1"].dtype == torch.float64
    assert objective.ranked


@pytest.mark.parametrize(
    ("architecture", "layers"),
    [
        ("resnet50", "conv1 layer1 layer2 layer3 layer4"),
        ("vgg16", "relu1_2 relu2_2 relu3_3 relu4_3 relu5_3"),
        ("vgg19", "relu1_2 relu2_2 relu3_4 relu4_4 relu5_4"),
        ("squeezenet1_0", "relu1 fire4 fire8 features"),
        ("googlenet", "conv1 conv3 inception3b inception4e inception5b"),
        ("mobilenet_v2", "features.1 features.3 features.6 features.13 features"),
        ("swin_t", "features.1 features.3 features.5 norm"),
        ("vit_b_16", "conv_proj" + "".join(f" encoder.layers.encoder_layer_{number}" for number in (0, 4, 8, 11))),
    ],
)
def test_without_layers_it_takes_the_last_one_of_each_block(folder, architecture, layers):
    outline = sketch(architecture)
    objective = Alignment(parse_target("class:1", outline.labels, outline.layers), outline, pictures=str(folder))
    assert objective.layers == tuple(layers.split())


def test_the_weights_are_the_codes_where_it_has_some(folder):
    for architecture, weights in (("convnext_tiny", [10, 1, 1, 1, 1]), ("densenet121", [1, 1, 1, 1, 100])):
        outline = sketch(architecture)
        objective = Alignment(parse_target("class:1", outline.labels, outline.layers), outline, pictures=str(folder))
        assert [unit.weight for unit in objective.aligned.each[0].units] == weights


def test_the_embedded_network_has_its_blocks(folder):
    objective = made(folder, classifier=SmallClassifier(weights="random", input_size=32))
    assert objective.layers == ("relu1_1", "relu2_1", "relu3_2", "relu4_2", "relu5_2")


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"count": 0}, "count=0 must be"), ({"count": 1.5}, "whole number"), ({"count": True}, "whole number"),
     ({"layers": "filter:relu1:1"}, "must be layers"), ({"layers": "layer:relu9"}, "no layer is called"),
     ({"layers": "class:1"}, "must be layers")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_one_line(folder, settings, says):
    with pytest.raises(UserError, match=says) as caught:
        made(folder, **settings)
    assert "\n" not in str(caught.value)


def test_pictures_are_asked_for(tmp_path, classifier):
    target = parse_target("class:1", classifier.outline.labels, classifier.outline.layers)
    with pytest.raises(UserError, match="pictures=FOLDER"):
        Alignment(target, classifier.outline)
    with pytest.raises(UserError, match="no picture in it"):
        made(tmp_path)
    with pytest.raises(UserError, match="there is no such folder"):
        made(tmp_path / "nowhere")


def test_without_any_layer_that_has_positions_it_asks(folder):
    layers = (Layer("a", "0", (3,)), Layer("scores", "scores", (2,)))
    outline = Outline(("u", "v"), layers, {}, (8, 8))
    with pytest.raises(UserError, match="objective.alignment.layers"):
        Alignment(parse_target("class:u", outline.labels, layers), outline, pictures=str(folder))


def test_layers_whose_channels_are_unknown_have_to_state_them(folder):
    layers = (Layer("a", "0", (3, 4, 5), axis=None), Layer("scores", "scores", (2,)))
    outline = Outline(("u", "v"), layers, {}, (8, 8))
    target = parse_target("class:u", outline.labels, layers)
    with pytest.raises(UserError, match=r"say which: a/1 or a/2 or a/3"):
        Alignment(target, outline, pictures=str(folder), layers="layer:a")
    assert Alignment(target, outline, pictures=str(folder), layers="layer:a/3").layers == ("a/3",)
    with pytest.raises(UserError, match=r"objective.alignment.layers"):
        Alignment(target, outline, pictures=str(folder))


def test_scores_are_kept_on_the_cpu_wherever_the_classifier_is(folder, monkeypatch):
    """In a sweep on a GPU, the first batch sees the pictures before Lightning moves the classifier there."""
    classifier = TinyClassifier()
    objective = remembering(folder, classifier, "class:harmonica", count=2)
    paths, first = objective.paths, parse_target("class:1", classifier.outline.labels, classifier.outline.layers)
    found = _best(paths, classifier, first, 2)
    monkeypatch.setattr(TinyClassifier, "device", torch.device("meta"))
    assert _best(paths, classifier, first, 2) == found
