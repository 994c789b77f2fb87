"""Every YAML makes what it says."""

import pytest
import torch
from conftest import CONFIGS, TINY

from genviz import build, checks, choice
from genviz.generators.pretrained import Sizes
from genviz.interfaces import Classifier, Generator, Objective, Regularizer


def choices(group):
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


@pytest.mark.parametrize("name", choices("classifier"))
def test_classifiers(compose, name):
    words = ["classifier.architecture=resnet18"] if name == "torchvision" else []
    config = compose("target=class:harmonica", f"classifier={name}", "classifier.weights=random", *words)
    choice.choose(config)
    outline = build.sketch(config.classifier)
    assert str(build.target(config, outline)) == "class:harmonica"
    made = build.classifier(config.classifier)
    assert isinstance(made, Classifier)
    assert made.outline == outline
    assert build.names(config).classifier == f"{config.classifier.get('architecture', name)}-random"


def test_a_model_without_a_yaml_goes_by_its_name(compose):
    assert compose("target=class:1", "classifier=resnet18").classifier.architecture == "resnet18"


@pytest.mark.parametrize("name", choices("generator"))
def test_generators(compose, name):
    words = ["generator.weights=random"] if name == "pretrained" else []  # of the paper's sizes
    made = build.generator(compose("target=class:1", f"generator={name}", *words))
    assert isinstance(made, Generator)
    trainable = sum(parameter.numel() for parameter in made.parameters() if parameter.requires_grad)
    sizes = {"untrained": 5_240_841, "untrained_small": 1_249_481, "pretrained": 3_200, "pixels": 3 * 224 * 224}
    assert trainable == sizes[name]


@pytest.mark.parametrize("name", choices("objective"))
def test_objectives(compose, name, classifier):
    config = compose("target=class:harmonica", f"objective={name}")
    made = build.objective(config, build.target(config, classifier.outline), classifier.outline)
    assert isinstance(made, Objective)


@pytest.mark.parametrize("name", choices("regularizer"))
def test_regularizers(compose, name):
    made = build.regularizers(compose("target=class:1", f"regularizer={name}"))
    assert list(made) == ([] if name == "none" else [name])
    assert all(isinstance(part, Regularizer) for part in made.values())


def test_regularizers_combine(compose):
    made = build.regularizers(compose("target=class:1", "regularizer=[total_variation,gamma_l1]"))
    assert list(made) == ["total_variation", "gamma_l1"]


@pytest.mark.parametrize("name", choices("transform"))
def test_transforms(compose, name):
    views = torch.nn.Sequential(*build.transforms(compose("target=class:1", f"transform={name}")))
    assert views(torch.rand(1, 3, 8, 8)).shape[1:] == (3, 8, 8)


@pytest.mark.parametrize("name", choices("optimizer"))
def test_optimizers(compose, name):
    make = build.optimizer(compose("target=class:1", f"optimizer={name}"))
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = make([parameter])
    parameter.sum().backward()
    optimizer.step()
    assert (parameter < 1).all()


@pytest.mark.parametrize("name", choices("student"))
def test_students(compose, name):
    student = compose("data.root=photos", f"student={name}", name="distill").student
    made = build.make({"_target_": student._target_, "widths": student.widths}, "student", batch_norm=True)
    assert isinstance(made, torch.nn.Module)
    assert student.input_size == 128


def test_a_teacher_is_a_classifier(compose):
    config = compose("data.root=photos", "teacher=squeezenet1_1", "teacher.weights=random", name="distill")
    assert (config.teacher.architecture, config.teacher.input_size) == ("squeezenet1_1", 160)
    assert isinstance(build.classifier(config.teacher), Classifier)


@pytest.mark.parametrize("name", choices("trainer"))
def test_trainers(compose, name):
    from genviz.runs.trainer import make_trainer

    settings = build.plain(compose("target=class:1", f"trainer={name}", "trainer.accelerator=cpu"))["trainer"]
    assert make_trainer(settings, [], updates=3).max_steps == 3


@pytest.mark.parametrize("name", choices("experiment"))
def test_experiments_run(compose, name, monkeypatch):
    from genviz.runs.train import train

    own = "pretrained" in compose("target=class:1", f"experiment={name}").generator._target_
    words = [word for word in TINY if not own or not word.startswith("generator")]
    config = compose("target=class:harmonica", f"experiment={name}", *words, "updates=2", "logger=none")
    assert train(config, build.target(config, build.sketch(config.classifier))) == 0
    assert build.names(config).generator.endswith(f"-{name}")


@pytest.mark.parametrize("name", choices("experiment"))
@pytest.mark.parametrize("regularizer", choices("regularizer"))
def test_an_experiments_regularizer_can_be_another(compose, name, regularizer):
    config = compose("target=class:harmonica", f"experiment={name}", f"regularizer={regularizer}")
    assert list(build.regularizers(config)) == ([] if regularizer == "none" else [regularizer])


def test_the_papers_setting_is_the_papers(compose):
    """Despraz et al. 2017, Table 1, Eq. 3 and the published code."""
    config = compose("target=class:harmonica", "experiment=despraz2017")
    assert config.updates == 10 * 50
    assert (config.optimizer._target_, config.optimizer.lr) == ("torch.optim.Adamax", 0.002)
    assert (list(config.optimizer.betas), config.optimizer.eps) == ([0.9, 0.999], 1e-8)
    generator = build.generator(config)
    assert (generator.sigma, generator.output) == (2.0, "standardized")
    regularizer = build.regularizers(config)["gamma_l1"]
    assert (regularizer.weight, regularizer.parameter, regularizer.order) == (0.01, "gamma", 1)
    assert build.transforms(config) == []


def test_the_papers_pretrained_setting_is_the_papers(compose):
    """Despraz et al. 2017, Table 1, Eq. 4 and the published code."""
    config = compose("target=class:harmonica", "generator=pretrained", "generator.weights=random")
    assert (config.updates, config.snapshot_every, config.median) == (30 * 40, 40, 10)
    optimizer = build.optimizer(config)([torch.nn.Parameter(torch.ones(1))])
    assert isinstance(optimizer, torch.optim.SGD)
    settings = optimizer.param_groups[0]
    assert (settings["lr"], settings["momentum"], settings["nesterov"]) == (0.01, 0.1, True)
    generator = build.generator(config)
    assert (generator.code, generator.sigma) == ("gains", 0.05)
    regularizer = build.regularizers(config)["gains_l2"]
    assert (regularizer.weight, regularizer.parameter, regularizer.order) == (0.1, "gains", 2)
    assert build.transforms(config) == []


def test_the_papers_autoencoder_is_the_papers(compose):
    """Despraz et al. 2017, section 4.2, Table 2 and the published code."""
    config = compose("data.root=photos", "recipe=despraz2017", name="pretrain")
    assert (config.epochs, config.updates, config.batch, config.warm_up) == (400, None, 24, None)
    assert isinstance(build.optimizer(config)([torch.nn.Parameter(torch.ones(1))]), torch.optim.Adadelta)
    assert list(config.encoder.widths) == [32, 64, 128, 256, 512]
    assert config.encoder.hidden == 2048
    assert Sizes(*(tuple(config.decoder[name]) for name in Sizes._fields)) == Sizes()
    assert config.loss.weight_features == 0


@pytest.mark.parametrize("name", choices("recipe"))
def test_recipes_make_an_autoencoder_that_can_learn(compose, name):
    from genviz.runs.pretrain import _module

    config = compose("data.root=photos", f"recipe={name}", "trainer.accelerator=cpu", name="pretrain")
    checks.check_pretraining(config)
    module, _ = _module(config, 10)
    assert (module.eye is None) is (config.loss.weight_features == 0)
    assert module.decoder.image_size in ((130, 130), (224, 224))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["updates=0"], "updates=0 is no whole number from 1 to"),
        (["updates=many"], "updates=many"),
        (["seed=1.5"], "seed=1.5"),
        (["seed=99999999999"], "to 4294967295"),
        (["log_every=true"], "log_every=True"),
        (["resume=maybe"], "neither true nor false"),
        (["display=hdr"], "rgb or despraz"),
    ],
)
def test_settings_that_no_constructor_sees_are_checked(compose, words, says):
    from genviz.errors import UserError

    with pytest.raises(UserError, match=says):
        checks.check_training(compose("target=class:1", *words))


@pytest.mark.parametrize(
    "word",
    ["optimizer.lr=fast", "regularizer.total_variation.weight=heavy", "transform.views.scale=[0,1]",
     "objective.activation.warm_up=long", "generator.sigma=loud", "objective.activation.lambda_others=x"],
)  # fmt: skip
def test_settings_that_a_constructor_refuses_are_one_line(compose, classifier, word):
    from genviz.errors import UserError

    config = compose("target=class:harmonica", word)
    with pytest.raises(UserError) as caught:
        build.generator(config)
        build.regularizers(config)
        build.transforms(config)
        build.objective(config, build.target(config, classifier.outline), classifier.outline)
        build.optimizer(config)([torch.nn.Parameter(torch.ones(1))])
    assert "\n" not in str(caught.value)
