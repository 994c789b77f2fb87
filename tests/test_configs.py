"""Every YAML makes what it says."""

import pytest
import torch
from conftest import CONFIGS

from genviz.classifiers.detector import detectors
from genviz.classifiers.outline import architectures
from genviz.errors import UserError
from genviz.generators.pixels import Pixels
from genviz.interfaces import Classifier, Generator, Objective, Regularizer
from genviz.training import build, default_classifier, naming
from genviz.training.settings import TrainSettings


def choices(group):
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def generator(config):
    return build.generator(config, build.streams(config))


SLOW = ("caffenet", "classic", "vgg_f", "vgg_s")
"""Sixty to a hundred million weights each, which are drawn as those of their neighbours."""
WITHOUT_FILE = [name for name in choices("classifier") if name != "fitted"]
"""Those that a file of genviz fit does not have to describe."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in WITHOUT_FILE]
)
def test_classifiers(compose, name):
    own = {
        "torchvision": "classifier.architecture=resnet18",
        "classic": "classifier.architecture=vgg_f",
        "detector": "classifier.architecture=ssdlite320_mobilenet_v3_large",
        "module": "classifier.builder=torchvision.models:resnet18",
    }
    words = [own[name]] if name in own else []
    if name == "efficientnet_lite0":
        pytest.importorskip("efficientnet_lite_pytorch")
    without_weights = {"hog": "filter:hog:3", "hogb": "neuron:hog:3:14:14", "dsift": "layer:dsift"}
    target = without_weights.get(name, "class:person" if name == "detector" else "class:harmonica")
    words += [] if name in without_weights else ["classifier.weights=random"]
    config = compose(f"target={target}", f"classifier={name}", *words)
    default_classifier.choose(config)
    outline = build.sketch(config.classifier)
    assert str(build.target(config, outline)) == target
    made = build.classifier(config.classifier)
    assert isinstance(made, Classifier)
    assert made.outline == outline
    called = name if name in without_weights else f"{config.classifier.get('architecture', name)}-random"
    assert naming.names(config).classifier == called


def test_a_model_without_a_yaml_goes_by_its_name(compose):
    assert compose("target=class:1", "classifier=resnet18").classifier.architecture == "resnet18"
    detector = compose("target=class:1", "classifier=retinanet_resnet50_fpn_v2").classifier
    assert (detector.architecture, "boxes" in detector) == ("retinanet_resnet50_fpn_v2", True)


@pytest.mark.slow
def test_every_detector_is_told_from_the_classification_models_by_its_name(compose):
    for name in detectors():
        assert "boxes" in compose("target=class:1", f"classifier={name}").classifier
    for name in architectures()[::5]:
        assert "boxes" not in compose("target=class:1", f"classifier={name}").classifier


def test_a_builders_detector_is_called_detector_in_folders(compose):
    words = ["classifier=detector", "classifier.builder=package:build", "classifier.weights=mine.pth"]
    assert naming.names(compose("target=class:1", *words)).classifier == "detector-mine"


@pytest.mark.parametrize("name", choices("generator"))
def test_generators(compose, name, classifier, pictures):
    words = ["generator.weights=random"] if name.startswith("pretrained") else []  # of the paper's sizes
    config = compose("target=class:1", f"generator={name}", *pictures, *words)
    build.settle(config, build.target(config, classifier.outline), classifier)  # 12 x 12 pixels
    made = generator(config)
    assert isinstance(made, Generator)
    trainable = sum(parameter.numel() for parameter in made.parameters() if parameter.requires_grad)
    octaves = 3 * (29 * 43 + 40 * 60)  # 20 and 15 rows are under 32
    sizes = {
        "untrained": 5_240_841,
        "untrained_small": 1_249_481,
        "pretrained": 3_200,
        "pretrained_views": 3_200,
        "pixels": 3 * 12 * 12,
    }
    sizes |= {
        "patch": 3 * 96 * 96,
        "grey_pixels": 12 * 12,
        "maco": 3 * 12 * 7,
        "perturbation": 3 * 12 * 12,
        "perturbation_for_all": 3 * 12 * 12,
        "fourier": 3 * 12 * 7 * 2,
        "octaves": octaves - 3 * 29 * 43,
    }  # 29, too
    assert trainable == sizes[name]


@pytest.mark.parametrize("name", choices("generator"))
def test_a_generator_makes_several_images(compose, name, classifier, pictures):
    config = compose("target=class:1", f"generator={name}", *pictures, "images=3")
    build.settle(config, build.target(config, classifier.outline), classifier)
    made = generator(config)
    assert made().images.shape == (3, 3, *made.image_size)


class Single(Pixels):
    """A generator of one's own that holds one image."""

    holds_many = False


def test_a_generator_that_makes_one_image_says_so(compose):
    config = compose("target=class:1", "generator=pixels", "generator.size=[4,4]", "generator.margin=0", "images=3")
    config.generator._target_ = f"{__name__}.Single"
    with pytest.raises(UserError, match="generator=pixels makes one image at a time: images=1 batch=1"):
        generator(config)
    config.images = 1
    assert generator(config)().images.shape == (1, 3, 4, 4)


@pytest.mark.parametrize(
    ("target", "size", "margin"),
    [("filter:relu1_1:2", [64, 64], 0), ("layer:relu3_1", [64, 64], 0), ("layer:relu5_1", [64, 64], 3),
     ("layer:relu3_1+relu5_1", [64, 64], 3), ("class:harmonica", [64, 64], 3)],
)  # fmt: skip
def test_auto_is_what_the_classifier_sees_and_a_quarter_of_its_stride_less_one(compose, target, size, margin):
    """Mahendran & Vedaldi 2016, section 5.2; a class has no stride, and takes the network's last, 16."""
    words = ["classifier=small", "classifier.weights=random", "classifier.input_size=64", "generator=pixels"]
    config = compose(f"target={target}", *words, "generator.margin=auto", "transform=jitter")
    classifier = build.classifier(config.classifier)
    build.settle(config, build.target(config, classifier.outline), classifier)
    assert (list(config.generator.size), config.generator.margin) == (size, margin)
    assert build.transforms(config)[0].margin == margin
    assert generator(config).train()().images.shape == (1, 3, size[0] + margin, size[1] + margin)


@pytest.mark.slow
def test_auto_of_a_transform_is_what_the_classifier_sees(compose):
    words = ["classifier=embedded", "classifier.weights=random", "classifier.input_size=64", "generator=maco"]
    config = compose("target=class:1", *words, "transform=[boxes,noise]", "generator.size=[20,30]")
    classifier = build.classifier(config.classifier)
    build.settle(config, build.target(config, classifier.outline), classifier)
    assert list(config.generator.size) == [20, 30]
    boxes, noise = build.transforms(config)
    assert (boxes.size, boxes.updates, noise.deviation) == ((64, 64), config.updates, 0.04)


@pytest.mark.parametrize("name", choices("objective"))
def test_objectives(compose, name, classifier, pictures):
    target = "class:harmonica" if "probability" in name else "layer:relu1"
    config = compose(f"target={target}", f"objective={name}", *pictures)
    made = build.objective(config, build.target(config, classifier.outline), classifier.outline)
    assert isinstance(made, Objective)
    assert list(made.parts) == [name]
    assert made.parts[name].weight == config.objective[name].get("weight", 1.0)
    made.remember(classifier, (12, 12))
    seen = classifier(torch.rand(2, 3, 12, 12), made.layers)
    assert made(seen).shape == (2,)
    assert all(value.shape == (2,) for value in made.measure(seen).values())


def test_objectives_combine(compose, classifier, pictures):
    words = ["objective=[content,style]", "objective.style.weight=7", "objective.style.at=layer:conv1@0.5", *pictures]
    config = compose("target=layer:relu1", *words)
    made = build.objective(config, build.target(config, classifier.outline), classifier.outline)
    assert list(made.parts) == ["content", "style"]
    assert (made.parts["content"].weight, made.parts["style"].weight) == (1, 7)
    assert made.layers == ("relu1", "conv1")
    assert not made.ranked


def test_without_an_objective_it_says_so(compose, classifier):
    config = compose("target=class:harmonica", "objective=[]")
    with pytest.raises(UserError, match="objective=activation"):
        build.objective(config, build.target(config, classifier.outline), classifier.outline)


def test_a_folder_that_was_forgotten_is_asked_for(compose, classifier):
    config = compose("target=layer:relu1", "objective=alignment")
    with pytest.raises(UserError, match="real pictures of the target are: pictures=FOLDER"):
        build.objective(config, build.target(config, classifier.outline), classifier.outline)


@pytest.mark.parametrize(("objective", "forgotten"), [("inversion", "image"), ("content", "image"),
                                                      ("caricature", "image"), ("style", "style")])  # fmt: skip
def test_a_picture_that_was_forgotten_is_asked_for(compose, classifier, objective, forgotten):
    config = compose("target=layer:relu1", f"objective={objective}")
    with pytest.raises(UserError, match=f"say which picture: {forgotten}=FILE, or objective.{objective}.image=FILE"):
        build.objective(config, build.target(config, classifier.outline), classifier.outline)


@pytest.mark.parametrize("name", choices("regularizer"))
def test_regularizers(compose, name):
    made = build.regularizers(compose("target=class:1", f"regularizer={name}"))
    assert list(made) == ([] if name == "none" else [name])
    assert all(isinstance(part, Regularizer) for part in made.values())


def test_regularizers_combine(compose):
    made = build.regularizers(compose("target=class:1", "regularizer=[total_variation,gamma_l1]"))
    assert list(made) == ["total_variation", "gamma_l1"]


@pytest.mark.parametrize("name", sorted(set(choices("transform")) - {"dropout"}))  # which is not of pictures
def test_transforms(compose, name, pictures):
    words = ["generator=pixels", "generator.margin=2"] if name == "jitter" else []  # its margin is the canvas's
    words += [f"transform.{name}.size=[16,16]"] if name in ("boxes", "placed") else []  # the classifier's
    words += pictures if name == "placed" else []
    views = torch.nn.Sequential(*build.transforms(compose("target=class:1", f"transform={name}", *words)))
    side = {"jitter": 16 - 2, "pad": 16 + 2 * 12}.get(name, 16)
    assert views(torch.rand(1, 3, 16, 16)).shape[1:] == (3, side, side)


@pytest.mark.parametrize("name", choices("optimizer"))
def test_optimizers(compose, name):
    make = build.optimizer(compose("target=class:1", f"optimizer={name}"))
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = make([parameter])
    parameter.sum().backward()
    optimizer.step()
    assert (parameter < 1).all()


@pytest.mark.parametrize("name", choices("trainer"))
def test_trainers(compose, name):
    from genviz.training import precision
    from genviz.training.trainer import make_trainer

    config = compose("target=class:1", f"trainer={name}", "trainer.accelerator=cpu")
    precision.choose(config)
    assert make_trainer(build.plain(config)["trainer"], [], updates=3).max_steps == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["updates=0"], "updates=0 must be a whole number from 1 to"),
        (["updates=many"], "updates=many"),
        (["seed=1.5"], "seed=1.5"),
        (["seed=99999999999"], "to 4294967295"),
        (["lr_rise=-1"], "lr_rise=-1 must be a whole number from 0"),
        (["lr_rise=0.5"], "lr_rise=0.5"),
        (["log_every=true"], "log_every=True"),
        (["resume=maybe"], "resume=maybe must be true or false"),
        (["display=hdr"], "display=hdr must be rgb, despraz, stretch or chollet"),
        (["images=0"], "images=0 must be a whole number from 1"),
        (["images=two"], "images=two"),
        (["snapshot_every=0"], "snapshot_every=0 must be a whole number"),
        (["snapshot_every=[]"], "or a list of updates"),
        (["snapshot_every=[5,often]"], "or a list of updates"),
        (["snapshot_every=[5,-1]"], "or a list of updates"),
        (["pictures=''"], "pictures= must be a folder"),
    ],
)
def test_settings_that_no_constructor_sees_are_checked(compose, words, says):
    with pytest.raises(UserError, match=says):
        TrainSettings.check(compose("target=class:1", *words))


@pytest.mark.parametrize(
    ("word", "says"),
    [("optimizer.lr=fast", "lr=fast must be"), ("regularizer.code_l2.weight=heavy", "weight=heavy must be"),
     ("transform.views.scale=[0,1]", "scale two sizes"), ("objective.activation.warm_up=long", "warm_up=long must be"),
     ("generator.sigma=loud", "sigma=loud must be"), ("objective.activation.lambda_others=x", "others=x must be")],
)  # fmt: skip
def test_settings_that_a_constructor_refuses_are_one_line(compose, classifier, word, says):
    def made(config):
        generator(config)
        build.regularizers(config)
        build.transforms(config)
        build.objective(config, build.target(config, classifier.outline), classifier.outline)
        build.optimizer(config)([torch.nn.Parameter(torch.ones(1))])

    made(compose("target=class:harmonica"))  # none refuses it as it is
    with pytest.raises(UserError, match=says) as caught:
        made(compose("target=class:harmonica", word))
    assert "\n" not in str(caught.value)


def test_several_objectives_are_all_in_the_folders_name(compose):
    config = compose("target=class:1", "objective=[inversion,caricature]", "image=cat.jpg")
    assert naming.names(config).generator == "pretrained_views-inversion+caricature-cat"


def test_the_default_under_its_name_is_in_the_same_folder(compose):
    named, default = compose("target=class:1", "experiment=pretrained_views"), compose("target=class:1")
    assert naming.names(named).generator == naming.names(default).generator == "pretrained_views"
    assert naming.names(compose("target=class:1", "experiment=fourier_views")).generator == "fourier-fourier_views"


def test_a_builder_is_given_arguments_on_the_command_line(compose):
    config = compose("target=class:1", "classifier=module", "classifier.arguments={classes: 3}")
    assert config.classifier.arguments == {"classes": 3}
