import socket
import time

from genviz.classifiers.weight_files.server import why_unreachable


def test_nobody_there_is_told_at_once():
    assert "refused" in why_unreachable("http://127.0.0.1:9/x", 5)


def test_a_server_that_never_answers_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begin = time.monotonic()
        assert why_unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}/x", 0.5) is not None
    assert time.monotonic() - begin < 5


def test_a_name_server_that_hangs_is_given_up(monkeypatch):
    def hang(*args, **kwargs):
        time.sleep(3)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    begin = time.monotonic()
    assert "no answer from nowhere.example in" in why_unreachable("http://nowhere.example/x", 0.2)
    assert time.monotonic() - begin < 2
