"""The names of the package: few, documented, and imported only when they are asked for."""

import doctest

import pytest

import genviz


def test_each_name_is_there_and_no_other_is():
    assert sorted(genviz.__all__) == genviz.__all__
    assert set(genviz.__all__) <= set(dir(genviz))
    with pytest.raises(AttributeError, match="no attribute 'visualise'"):
        genviz.visualise  # noqa: B018


@pytest.mark.parametrize("name", genviz.__all__)
def test_the_example_of_each_name_is_true(name):
    found = getattr(genviz, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(found, name, globs={})
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0
