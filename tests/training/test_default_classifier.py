"""Which classifier it is where none is named."""

import pytest
from conftest import CONFIGS

from genviz import files
from genviz.classifiers.weight_files.weights import CannotFetchError
from genviz.errors import DamagedInstallationError, UserError
from genviz.training import build, default_classifier, naming


@pytest.fixture
def unreachable(monkeypatch):
    asked = []

    def fetch(entry, architecture):
        asked.append(architecture)
        raise CannotFetchError("there is no network", "put vgg16.pth somewhere")

    monkeypatch.setattr(default_classifier, "fetch", fetch)
    return asked


def chosen(compose, *words):
    config = compose("target=class:harmonica", *words)
    default_classifier.choose(config)
    return config


def test_vgg16_where_its_weights_can_be_had(compose, monkeypatch):
    asked = []
    monkeypatch.setattr(default_classifier, "fetch", lambda entry, architecture: asked.append(entry.url))
    config = chosen(compose)
    assert "vgg16-397923af.pth" in asked[0]
    assert naming.names(config)[::2] == ("vgg16", None)
    assert config.classifier == compose("target=class:1", "classifier=vgg16").classifier


def test_the_embedded_network_where_they_cannot_and_a_note_that_says_so(compose, unreachable):
    config = chosen(compose)
    names = naming.names(config)
    assert names.classifier == "embedded"
    for part in ("not all of vgg16", "its own convolutions", "there is no network", "put vgg16.pth somewhere"):
        assert part in names.note
    assert config.classifier == compose("target=class:1", "classifier=embedded").classifier


def test_asked_for_by_name_nothing_is_chosen(compose, unreachable):
    for name in ("vgg16", "embedded", "resnet18"):
        assert naming.names(chosen(compose, f"classifier={name}")).note is None
    assert unreachable == []


@pytest.mark.parametrize(
    "word", ["classifier.weights=random", "classifier.input_space=caffe", "classifier.input_space=torchvision"]
)
def test_settings_of_ones_own_are_vgg16s(compose, unreachable, word):
    config = chosen(compose, word)
    assert config.classifier.architecture == "vgg16"
    assert unreachable == []


def test_what_means_the_same_to_both_is_kept(compose, unreachable):
    assert chosen(compose, "classifier.input_size=96").classifier.input_size == 96


@pytest.mark.parametrize(
    ("word", "size"), [("seed=0", 160), ("experiment=fourier_views", 160), ("generator=untrained_small", None)]
)
def test_the_embedded_network_keeps_the_size_of_the_setting(compose, unreachable, word, size):
    assert chosen(compose, word).classifier.input_size == size


def test_a_target_that_neither_knows_is_told_before_anything_is_fetched(compose, unreachable):
    for target, says in (
        ("class:harmonika", "no class is called 'harmonika'"),
        ("filter:relu9_9:1", "no layer is called"),
    ):
        with pytest.raises(UserError, match=says):
            chosen(compose, f"target={target}")
    assert unreachable == []


def test_a_target_that_vgg16_alone_knows_says_whose_answer_it_is_and_how_to_get_vgg16(
    compose, unreachable, monkeypatch
):
    with pytest.raises(UserError) as caught:
        chosen(compose, "target=filter:fc7:1")
    for part in ("fc7", "embedded network's answer", "there is no network", "put vgg16.pth somewhere"):
        assert part in str(caught.value)
    monkeypatch.setattr(default_classifier, "fetch", lambda entry, architecture: None)
    assert chosen(compose, "target=filter:fc7:1").choices.classifier == "vgg16"


def test_a_target_that_the_embedded_network_alone_knows_fetches_nothing(compose, unreachable):
    config = chosen(compose, "target=layer:heads.0.relu")
    assert unreachable == []
    assert config.choices.classifier == "embedded"
    assert "heads.0.relu" in naming.names(config).note


def test_the_two_never_share_a_folder(compose, unreachable, monkeypatch):
    from genviz.training.run_folders import RunFolders

    def place(config):
        return RunFolders.of(config, build.target(config, build.sketch(config.classifier)))

    embedded = place(chosen(compose))
    monkeypatch.setattr(default_classifier, "fetch", lambda entry, architecture: None)
    vgg16 = place(chosen(compose))
    assert embedded.checkpoint != vgg16.checkpoint
    assert embedded.outputs != vgg16.outputs


def test_a_damaged_installation_is_not_blamed_on_the_network(compose, unreachable, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "shipped_folder", lambda name: tmp_path if name == "checkpoints" else CONFIGS)
    files.intact.cache_clear()
    with pytest.raises(DamagedInstallationError) as error:
        chosen(compose)
    files.intact.cache_clear()
    told = str(error.value)
    assert "there is no network" not in told
    assert "heads.safetensors" in told
    assert files.SHIPPED["heads.safetensors"] in told
