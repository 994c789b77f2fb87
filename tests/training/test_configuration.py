import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from genviz.errors import UserError
from genviz.training.configuration import compose, plain_words

NAMES = [
    *("epoch=3-step=100.ckpt", "a b (1).pth", "größe=ä.ckpt", "it's.pth", 'a"b.pth', "a,b.pth", "[x] {y}.pth"),
    *("a\\b.pth", "a\\", '\\"', "$HOME.pth", "#x.pth", "1e5", "true", "nan", "a:b@c.pth", "'q'.pth", "x;y&z|w.pth"),
    *("~/w.pth", "100%.pth", " lead.pth", "日本.pth", "x=", "=x", "sort of (2).pth", "-1"),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "setting",
    ["classifier.weights", "classifier.labels", "classifier.heads", "paths.outputs", "paths.checkpoints", "image",
     "style", "pictures", "generator.start", "generator.weights", "objective.inner_product.direction",
     "objective.inversion.mask",
     "baseline", "data.root", "data.bank", "teacher.weights", "student.trunk.weights", "eye.labels",
     "+classifier.weights", "++objective.style.image"],
)  # fmt: skip
def test_a_path_may_have_any_characters_without_quotes(setting, name):
    (word,) = plain_words([f"{setting}={name}"])
    override = OverridesParser.create().parse_override(word)
    assert (override.get_key_element().lstrip("+"), override.value()) == (setting.lstrip("+"), name)


def test_the_command_gets_it_as_it_is():
    name = "a=b (ä), c's.ckpt"
    config = compose(
        "train", ["target=class:0", "classifier=vgg16", f"classifier.weights={name}", f"paths.outputs={name}"]
    )
    assert config.classifier.weights == config.paths.outputs == name
    assert compose("distill", ["student=heads", f"data.root={name}"]).data.root == name


@pytest.mark.parametrize(("value", "settings"), [
    ("[generator.noise=0]", ["generator.noise=0"]),
    ("[lr_end=1,transform=[jitter,flip],seed=1]", ["lr_end=1", "transform=[jitter,flip]", "seed=1"]),
    ("['generator.noise=0']", ["generator.noise=0"]),
    ("[]", []),
])  # fmt: skip
def test_settings_in_a_setting_need_no_quotes(value, settings):
    config = compose("retrain", ["target=class:0", "pictures=x", f"drawing.settings={value}"])
    assert list(config.drawing.settings) == settings


def test_what_is_quoted_or_a_list_or_null_stays_what_it_was():
    config = compose("distill", ["data.root=[a,b c]", "teacher.weights='x y'", "teacher.labels=null"])
    assert (list(config.data.root), config.teacher.weights, config.teacher.labels) == (["a", "b c"], "x y", None)


def test_in_a_multirun_a_comma_separates_paths():
    words = plain_words(["-m", "classifier.weights=a=1.pth,b (2).pth", "image=choice(a,b)"])
    assert words == ["-m", 'classifier.weights="a=1.pth","b (2).pth"', "image=choice(a,b)"]


def test_other_words_that_hydra_cannot_read_are_quoted():
    config = compose("train", ["target=class:0", "tag=lr=0.1", "logger.project=größe ä"])
    assert (config.tag, config.logger.project) == ("lr=0.1", "größe ä")


@pytest.mark.parametrize(
    ("word", "says"),
    [("image=" + "a" * 256, "at most 255 bytes"), ("paths.outputs=x/" + "ä" * 128, "at most 255 bytes"),
     ("classifier.weights=~no-such-user/w.pth", "home folder of ~no-such-user is unknown")],
)  # fmt: skip
def test_a_path_that_no_file_can_have_is_one_line(word, says):
    with pytest.raises(UserError, match=says):
        compose("train", ["target=class:0", "classifier=vgg16", word])


@pytest.mark.parametrize("value", ["[-1,2]", "[1.5]", "{a: 1}", "3", "true", "[blur,[blur]]", "[{a: 1}]", "[null]"])
@pytest.mark.parametrize("group", ["generator", "regularizer", "experiment", "optimizer", "logger", "transform"])
def test_a_choice_that_is_no_name_is_one_line(group, value):
    with pytest.raises(UserError, match=f"{group}=.* must be a name, or a list of names, such as {group}="):
        compose("train", ["target=class:0", f"{group}={value}"])


def test_a_word_longer_than_a_files_name_is_one_line():
    """As a target whose ``target=`` was forgotten."""
    with pytest.raises(UserError, match="aaa: a setting is written NAME=VALUE"):
        compose("train", ["class:" + "a" * 300])
    with pytest.raises(UserError, match="=5: there is no such setting"):
        compose("train", ["a" * 300 + "=5"])
    config = compose("train", ["target=class:0", "classifier=" + "a" * 300])
    assert config.classifier.architecture == "a" * 300


@pytest.mark.parametrize("word", ["=5", "="])
def test_a_setting_without_a_name_is_one_line(word):
    with pytest.raises(UserError, match=f"{word}: there is no such setting; one is written NAME=VALUE"):
        compose("train", [word])


@pytest.mark.parametrize(
    ("word", "choice"),
    [("logger=null", "none"), ("regularizer=null", "none"), ("transform=null", "none"), ("trainer=null", "default"),
     ("+regularizer=Null", "none"), ("optimizer=null", "adadelta")],
)  # fmt: skip
def test_no_choice_is_a_choice_by_name(word, choice):
    group = word.lstrip("+").partition("=")[0]
    with pytest.raises(UserError) as raised:
        compose("train", ["target=class:0", word])
    assert str(raised.value) == f"{word}: name one, such as {group}={choice}"
    compose("train", ["target=class:0", f"{group}={choice}"])
