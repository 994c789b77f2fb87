import threading

import pytest

from genviz.errors import CannotWriteError
from genviz.training.writers import Writers


def test_without_threads_the_caller_writes_at_once():
    writers, who = Writers(), []
    writers.write(0, lambda: who.append(threading.current_thread()))
    assert who == [threading.current_thread()]
    assert not writers.run_beside
    assert writers.map(str, [1, 2]) == ["1", "2"]
    with pytest.raises(ZeroDivisionError):
        writers.write(0, lambda: 1 / 0)


def test_threads_write_in_order_for_each_target():
    writers, gate = Writers(), threading.Event()
    writers.start()
    assert writers.run_beside
    written = {target: [] for target in range(5)}
    for number in range(20):
        for target, own in written.items():
            writers.write(target, lambda own=own, number=number: gate.wait(10) and own.append(number))
    assert not any(written.values())  # the caller goes on
    gate.set()
    writers.wait()
    assert all(own == list(range(20)) for own in written.values())
    assert writers.map(lambda number: 2 * number, range(9)) == [2 * number for number in range(9)]
    writers.close()
    writers.close()
    assert not writers.run_beside


def test_what_could_not_be_written_is_told_when_the_rest_is_written():
    writers, written = Writers(), []
    writers.start()

    def full():
        raise CannotWriteError("the disk is full")

    writers.write(0, full)
    writers.write(0, lambda: written.append(1))
    with pytest.raises(CannotWriteError, match="full"):
        writers.wait()
    assert written == [1]
    writers.wait()  # told once
    writers.write(1, full)
    writers.abandon()
