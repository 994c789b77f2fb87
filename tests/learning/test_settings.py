import pytest

from genviz.errors import UserError
from genviz.learning.settings import DistillSettings


@pytest.mark.parametrize("student", ["plain", "heads"])
@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("data.area=0.5", r"data.area=0.5 must be two numbers from 0 to 1, such as \[0.5,1.0\]"),
        ("data.area=[a,b]", "must be two numbers from 0 to 1"),
        ("data.area=[0.1,0.2,0.3]", "must be two numbers from 0 to 1"),
        ("data.area=null", "data.area=null must be two numbers"),
        ("data.shares=2", r"data.shares=2 must be null, or a number for each folder, such as \[2,1\]"),
        ("data.shares=[a]", "must be null, or a number for each folder"),
        ("data.shares=[true]", "must be null, or a number for each folder"),
        ("data.shares=[-1,2]", "must be null, or a number for each folder"),
    ],
)
def test_lists_of_numbers_are_lists_of_numbers(compose, student, word, says):
    config = compose("data.root=photos", "teacher=small", f"student={student}", word, name="distill")
    with pytest.raises(UserError, match=says):
        DistillSettings.check(config)


def test_whole_numbers_are_numbers(compose):
    words = ["data.root=[a,b]", "teacher=small", "data.shares=[2,1]", "data.area=[1,1]"]
    DistillSettings.check(compose(*words, name="distill"))
