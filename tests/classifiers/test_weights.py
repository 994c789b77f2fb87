import hashlib
import http.server
import threading
import time

import pytest
import torch
import torchvision
from torchvision.models import SqueezeNet1_1_Weights

from genviz.classifiers import weights
from genviz.errors import UserError


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def server(tmp_path):
    """A server of ``tmp_path/served``, and the paths that it was asked for."""
    served = tmp_path / "served"
    served.mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(served))

        def log_message(self, *args):
            asked.append(self.requestline)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield served, f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


class Entry:
    """One of torchvision's, with another address."""

    def __init__(self, url):
        self.url, self.meta = url, {"_file_size": 4.7}


def serve(server, *, honest=True):
    served, address, _ = server
    file = served / "weights.pth"
    torch.save({"a": torch.ones(3)}, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    name = f"net-{digest if honest else '0' * 8}.pth"
    file.rename(served / name)
    return Entry(f"{address}/{name}"), name


def test_a_cached_file_is_used_without_a_network(cache, monkeypatch):
    cache.mkdir(parents=True)
    entry = SqueezeNet1_1_Weights.DEFAULT
    name = entry.url.rsplit("/", 1)[1]
    torch.save(torchvision.models.squeezenet1_1().state_dict(), cache / name)
    monkeypatch.setattr(weights, "why_unreachable", lambda url, seconds: pytest.fail("asked the network"))
    found = weights.find("squeezenet1_1", "default")
    assert found.source == "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert found.sha256 == hashlib.sha256((cache / name).read_bytes()).hexdigest()
    assert len(found.state) == 52


def test_fetching_says_what_how_large_and_where_to(cache, server, capfd):
    entry, name = serve(server)
    path = weights.fetch(entry, "net")
    assert path == cache / name
    assert path.exists()
    said = capfd.readouterr().err
    assert all(part in said for part in ("5 MB", entry.url, str(path)))


def test_a_file_with_another_hash_is_refused_and_does_not_stay(cache, server):
    entry, name = serve(server, honest=False)
    with pytest.raises(UserError, match="invalid hash"):
        weights.fetch(entry, "net")
    assert not (cache / name).exists()


def test_no_route_is_one_line_with_both_ways_on_within_seconds(cache):
    begin = time.monotonic()
    with pytest.raises(UserError) as caught:
        weights.fetch(Entry("http://127.0.0.1:9/vgg16-397923af.pth"), "vgg16")
    assert time.monotonic() - begin < 10
    line = str(caught.value)
    assert all(part in line for part in ("vgg16-397923af.pth", str(cache), "classifier.weights=random"))
    assert "\n" not in line


def test_an_unknown_entry_names_those_that_there_are():
    with pytest.raises(UserError, match="takes default, random, IMAGENET1K_V1"):
        weights.find("vgg16", "IMAGENET1K_V7")


def test_entries_go_by_their_names():
    entry = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
    assert weights.entry("resnet50", "IMAGENET1K_V1") == entry
    assert weights.entry("resnet50", "ResNet50_Weights.IMAGENET1K_V1") == entry
    assert weights.entry("resnet50", "default") == torchvision.models.ResNet50_Weights.DEFAULT
    assert weights.entry("resnet50", "file.pth") is None


def test_an_entry_is_found_by_the_name_that_a_result_gives_it(cache, monkeypatch):
    monkeypatch.setattr(weights, "fetch", lambda entry, architecture: cache)
    monkeypatch.setattr(weights, "load", lambda path: {})
    monkeypatch.setattr(weights, "sha256", lambda path: "")
    name = "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert weights.find("squeezenet1_1", name).source == name
