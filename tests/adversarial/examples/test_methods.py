import pytest

from genviz.adversarial.examples.methods import METHODS, find_method
from genviz.errors import UserError


def test_steps_are_the_papers():
    level = 1 / 255
    assert METHODS["fgsm"].steps(0.007, 40, None) == (1, 0.007, False, 0.0)
    number, size, start, _ = METHODS["bim"].steps(8 * level, None, None)
    assert (number, start) == (10, False)  # Kurakin: min(epsilon + 4, 1.25 epsilon), in levels
    assert size == pytest.approx(level)
    assert METHODS["bim"].steps(level / 4, None, None).number == 1
    number, size, start, _ = METHODS["pgd"].steps(8 * level, None, None)
    assert (number, start) == (40, True)
    assert size == pytest.approx(2.5 * 8 * level / 40)  # Madry
    number, size, _, momentum = METHODS["mi_fgsm"].steps(16 * level, None, None)
    assert (number, momentum) == (10, 1.0)
    assert size == pytest.approx(1.6 * level)  # Dong


def test_steps_can_be_set():
    for name in ("bim", "pgd", "mi_fgsm"):
        assert METHODS[name].steps(0.1, 7, 0.02)[:2] == (7, 0.02)


def test_a_name_is_found_in_any_spelling():
    assert find_method("MI-FGSM").name == "mi_fgsm"
    with pytest.raises(UserError, match="did you mean pgd"):
        find_method("pdg")
