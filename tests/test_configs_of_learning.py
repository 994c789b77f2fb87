"""Every YAML of what learns from pictures makes what it says."""

import pytest
import torch
from conftest import CONFIGS

from genviz.generators.pretrained import Sizes
from genviz.interfaces import Classifier
from genviz.learning.fitting.retrain_settings import RetrainSettings
from genviz.learning.fitting.settings import FitSettings
from genviz.learning.settings import DistillSettings, PretrainSettings
from genviz.training import build


def choices(group):
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


@pytest.mark.parametrize("name", choices("student"))
def test_students(compose, name):
    words = ["teacher=squeezenet1_1", "teacher.weights=random", "trainer.accelerator=cpu"]
    config = compose("data.root=photos", f"student={name}", *words, name="distill")
    DistillSettings.check(config)
    assert config.student.input_size == 128
    if name == "heads":
        from genviz.learning.distillation.distill_heads import _module, _teachers

        module = _module(config, _teachers(config), build.classifier(config.student.trunk), [])
        assert [sum(p.numel() for p in head.parameters()) for head in module.heads] == [
            3_099_624, 5_744_616, 6_198_248, 513_000,
        ]  # fmt: skip
        assert module.lessons.layers == ("pool5",)
        return
    made = build.make(
        {"_target_": config.student._target_, "widths": config.student.widths}, "student", batch_norm=True
    )
    assert isinstance(made, torch.nn.Module)


def test_a_teacher_is_a_classifier(compose):
    config = compose("data.root=photos", "teacher=squeezenet1_1", "teacher.weights=random", name="distill")
    assert (config.teacher.architecture, config.teacher.input_size) == ("squeezenet1_1", 160)
    assert isinstance(build.classifier(config.teacher), Classifier)


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
    from genviz.learning.pretraining.pretrain import _module

    config = compose("data.root=photos", f"recipe={name}", "trainer.accelerator=cpu", name="pretrain")
    PretrainSettings.check(config)
    module, _ = _module(config, 10)
    assert (module.eye is None) is (config.loss.weight_features == 0)
    assert module.decoder.image_size in ((130, 130), (224, 224))


@pytest.mark.parametrize("name", choices("network"))
@pytest.mark.parametrize("schedule", choices("schedule"))
def test_networks_and_schedules_make_a_classifier_that_can_learn(compose, name, schedule):
    from genviz.classifiers.fitted_networks import check_architecture
    from genviz.learning.fitting.augmentation import Augmentation

    config = compose("data.root=photos", f"network={name}", f"schedule={schedule}", name="fit")
    FitSettings.check(config)
    check_architecture(config.network.architecture)
    assert config.name == config.network.architecture
    Augmentation.of(config.augmentation)
    assert isinstance(build.optimizer(config)([torch.nn.Parameter(torch.ones(1))]), torch.optim.Adam)


def test_the_papers_schedule_is_the_papers(compose):
    """Réda & Xu 2018, Tables 1 and 2, and their code."""
    config = compose("data.root=photos", "network=conv", "schedule=reda_xu2018", name="fit")
    assert (config.classes, config.batch, config.epochs, config.data.hold_out) == (1000, 128, 10, 0.3)
    assert (config.optimizer.lr, config.optimizer.eps, config.decay, config.lr_end) == (1e-4, 1e-7, 1e-6, 1)
    assert dict(config.stop) == {"patience": 3, "by": 0.001, "measure": "loss"}
    assert compose("data.root=photos", "network=vonc", "schedule=reda_xu2018", name="fit").epochs == 250


@pytest.mark.parametrize("name", choices("loop"))
def test_loops_draw_by_an_experiment_that_there_is(compose, name):
    config = compose("target=class:1", "pictures=cats", "classifier=small", f"loop={name}", name="retrain")
    RetrainSettings.check(config)
    assert config.drawing.experiment in choices("experiment")
    assert (config.runs, config.repeat, config.optimizer.lr) == (20, 32, 0.001)
