import multiprocessing
import signal
import time

import pytest

from genviz.commands import worker_processes
from genviz.commands.worker_processes import JobError, ending_first
from genviz.training.signals import EndedError, ending


@pytest.fixture(autouse=True)
def _as_python_starts(monkeypatch):
    """With Python's own handlers, whatever other tests or the shell have left."""
    handlers = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGUSR1: signal.SIG_DFL,
    }
    before = {which: signal.signal(which, handler) for which, handler in handlers.items()}
    monkeypatch.setattr(worker_processes, "_ended_by", [])
    yield
    for which, handler in before.items():
        signal.signal(which, handler)


def test_a_signal_ends_the_workers_and_waits_for_what_they_return():
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    with pytest.raises(EndedError, match="SIGTERM"), ending(), ending_first(lambda: False):
        worker.start()
        signal.raise_signal(signal.SIGTERM)  # is not raised yet
        worker.join(30)
        assert worker.exitcode == -signal.SIGTERM
        raise JobError(143)  # as the launcher does in the end


@pytest.mark.parametrize(("which", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGUSR1, EndedError)])
def test_the_second_does_not_wait(which, raised):
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    with pytest.raises(raised), ending(), ending_first(lambda: False):
        worker.start()
        signal.raise_signal(which)
        signal.raise_signal(which)
    worker.join(30)


@pytest.mark.parametrize("begun", [True, False])
def test_without_workers_or_in_a_job_of_its_own_it_ends_the_program_at_once(begun):
    with pytest.raises(EndedError), ending(), ending_first(lambda: begun):
        signal.raise_signal(signal.SIGTERM)
        pytest.fail("went on")


def test_what_fails_without_a_signal_fails_as_it_is():
    with pytest.raises(JobError) as caught, ending_first(lambda: False):
        raise JobError(2)
    assert caught.value.code == 2


def test_after_a_signal_a_worker_begins_no_further_job():
    worker_processes.end(0)
    with pytest.raises(JobError):
        worker_processes.end(2)
    with pytest.raises(JobError):
        worker_processes.end(128 + signal.SIGTERM)
    with pytest.raises(JobError) as caught:
        worker_processes.begin()
    assert caught.value.code == 128 + signal.SIGTERM
