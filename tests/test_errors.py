import pytest

from genviz.errors import LONGEST, CannotWriteError, UserError, one_line, out_of_memory, shown


def test_a_message_is_one_line():
    assert str(UserError(" a\nb\t c ")) == "a b c"


def test_a_message_that_fits_stays_as_it_is():
    path = "/a" * 100
    assert str(CannotWriteError(f"cannot write {path}")) == f"cannot write {path}"


def test_a_long_word_loses_no_more_than_it_must():
    said = one_line(f"cannot write /{'a' * 400}/z.png; choose another folder")
    assert len(said) == LONGEST
    assert said.startswith("cannot write /aaa")
    assert said.endswith("/z.png; choose another folder")
    both = one_line(f"{'a' * 250} and {'b' * 90} do not fit")
    assert both.endswith(f" and {'b' * 90} do not fit")


@pytest.mark.parametrize("text", ["x y " * 500, "a" * 5000, "é" * 400 + " " + "b" * 400, "12345678 " * 100])
def test_no_message_is_longer_than_that(text):
    for called in ("genviz train", "genviz contributions"):
        assert len(f"{called}: {UserError(text)}") <= LONGEST
    assert len(one_line(text)) <= LONGEST
    assert one_line(text)[:5] == text[:5]


def test_what_is_shown_has_its_beginning_and_its_end():
    assert shown("abcdefghij", 10) == "abcdefghij"
    assert shown("abcdefghijk", 9) == "abcde…ijk"


@pytest.mark.parametrize(
    ("error", "full"),
    [(MemoryError(), True), (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
     (RuntimeError("CUDA out of memory. Tried to allocate"), True), (RuntimeError("shape mismatch"), False),
     (ValueError("out of memory"), False)],
)  # fmt: skip
def test_an_error_that_says_that_the_memory_is_full(error, full):
    assert out_of_memory(error) is full
