import pytest

from genviz.errors import UserError
from genviz.training.configuration import compose, plain_words

NAMES = [
    *("epoch=3-step=100.ckpt", "a b (1).pth", "größe=ä.ckpt", "it's.pth", 'a"b.pth', "a,b.pth", "[x] {y}.pth"),
    *("a\\b.pth", "a\\", '\\"', "$HOME.pth", "#x.pth", "1e5", "true", "nan", "a:b@c.pth", "'q'.pth", "x;y&z|w.pth"),
    *("~/w.pth", "100%.pth", " lead.pth", "日本.pth", "x=", "=x", "sort of (2).pth", "-1"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_may_have_any_characters_without_quotes(name):
    settings = ["classifier.weights", "classifier.labels", "paths.outputs", "paths.checkpoints", "image", "style"]
    settings += ["pictures", "generator.start"]
    words = [f"{setting}={name}" for setting in settings]
    config = compose("train", ["target=class:0", "classifier=vgg16", "generator=pixels", *words])
    got = [config.classifier.weights, config.classifier.labels, *config.paths.values(), config.image, config.style]
    assert {*got, config.pictures, config.generator.start} == {name}
    forced = compose("train", ["target=class:0", "classifier=vgg16", f"++classifier.weights={name}"])
    assert forced.classifier.weights == name


@pytest.mark.parametrize("name", NAMES)
def test_so_may_those_of_the_other_commands(name):
    config = compose("distill", ["student=heads", f"data.root={name}", f"data.bank={name}", f"teacher.weights={name}"])
    assert {config.data.root, config.data.bank, config.teacher.weights} == {name}
    assert compose("pretrain", [f"data.root={name}"]).data.root == name
    assert compose("contributions", ["target=class:0", f"pictures={name}"]).pictures == name


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
