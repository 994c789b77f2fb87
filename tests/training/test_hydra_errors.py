import pytest

from genviz.errors import UserError
from genviz.training.configuration import compose


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["updatse=3"], "updatse=3: there is no such setting; nearest: updates; genviz train --help lists them"),
        (["~updatse"], "~updatse: there is no such setting; nearest: updates"),
        (["lr=3"], "lr=3: there is no such setting; nearest: optimizer.lr"),
        (
            ["generator=pixels", "generator.nois=3"],
            "generator.nois=3: there is no such setting; nearest: generator.noise",
        ),
        (
            ["generator=pixel"],
            "generator=pixel: there is no such generator; nearest: pixels; there are fourier, grey_pixels, maco",
        ),
        (["regularizer=[blur,blurr]"], "regularizer=blurr: there is no such regularizer; nearest: blur"),
        (["target"], "target: a setting is written NAME=VALUE, such as updates=100"),
        (["seed=1", "x=("], "x=( cannot be read; quote a value with special characters: 'x=\"(\"'"),
        (["updates=[1"], "updates=[1 cannot be read"),
    ],
)
def test_the_word_what_is_wrong_and_what_would_work(words, says):
    with pytest.raises(UserError) as raised:
        compose("train", words)
    told = str(raised.value)
    assert told.startswith(says)
    assert not any(word in told for word in ("hydra", "Hydra", "Config search path", "+updatse", "EOF"))
