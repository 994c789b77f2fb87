import hashlib
import http.server
import os
import threading
import time

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models import SqueezeNet1_1_Weights

from genviz.classifiers.weight_files import weights
from genviz.classifiers.weight_files.weights import load_own
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
    assert all(part in line for part in ("vgg16-397923af.pth", str(cache)[-16:], "classifier.weights=random"))
    assert "\n" not in line


def test_an_unknown_entry_names_those_that_there_are():
    with pytest.raises(UserError, match="takes default, random, IMAGENET1K_V1"):
        weights.find("vgg16", "IMAGENET1K_V7")


def test_what_a_network_takes_is_said_where_there_is_no_such_file():
    for architecture, forms in (
        ("vgg16", r"\.keras, \.caffemodel or \.mat"),
        ("vgg16_bn", r"a \.pth or \.safetensors"),
    ):
        with pytest.raises(UserError, match=f"there is no weights file.*{forms} file"):
            weights.find(architecture, "nowhere.pth")


@pytest.mark.parametrize("name", ["vgg.h5", "vgg.keras", "vgg.caffemodel", "vgg.mat"])
def test_keras_caffes_and_matconvnets_files_are_a_vggs(tmp_path, name):
    (tmp_path / name).touch()
    for architecture in ("resnet50", "vgg16_bn"):
        with pytest.raises(UserError, match=f"works for vgg11, vgg13, vgg16, vgg19; for {architecture} give a .pth or"):
            weights.find(architecture, str(tmp_path / name))
    with pytest.raises(UserError, match="classifier=alexnet_caffe"):
        weights.find("alexnet", str(tmp_path / name))


def test_weights_without_class_scores_are_told_before_they_are_fetched(monkeypatch):
    monkeypatch.setattr(weights, "fetch", lambda entry, architecture: pytest.fail("fetched it"))
    with pytest.raises(UserError, match="has no class scores.*classifier.weights=default.*vgg16_features-amdegroot"):
        weights.find("vgg16", "IMAGENET1K_FEATURES")


@pytest.mark.parametrize(("architecture", "embedded"), [("vgg16", True), ("vgg19", False)])
def test_a_vgg_without_its_dense_layers_says_what_takes_it(tmp_path, architecture, embedded):
    path = tmp_path / "vgg_notop.pth"
    torch.save({"features.0.weight": torch.ones(64, 3, 3, 3)}, path)
    with pytest.raises(UserError, match="lacks the dense layers fc6, fc7 and fc8") as caught:
        weights.find(architecture, str(path))
    assert ("classifier=embedded, with the same classifier.weights" in str(caught.value)) == embedded


def test_entries_go_by_their_names():
    entry = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
    assert weights.entry("resnet50", "IMAGENET1K_V1") == entry
    assert weights.entry("resnet50", "ResNet50_Weights.IMAGENET1K_V1") == entry
    assert weights.entry("resnet50", "default") == torchvision.models.ResNet50_Weights.DEFAULT
    assert weights.entry("resnet50", "file.pth") is None


def test_an_entry_is_found_by_the_name_that_a_result_gives_it(cache, monkeypatch):
    monkeypatch.setattr(weights, "fetch", lambda entry, architecture: cache)
    monkeypatch.setattr(weights, "_load", lambda architecture, path, whole: ({}, None))
    monkeypatch.setattr(weights, "sha256", lambda path: "")
    name = "SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert weights.find("squeezenet1_1", name).source == name


def test_a_fetch_that_breaks_off_leaves_nothing_and_the_next_begins_anew(cache, tmp_path):
    """A server that closes the line half-way, once."""
    whole = tmp_path / "whole.pth"
    torch.save({"a": torch.ones(300_000)}, whole)
    content = whole.read_bytes()
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if len(asked) > 1 else content[: len(content) // 2])

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        entry = Entry(f"http://127.0.0.1:{running.server_port}/{name}")
        with pytest.raises(weights.CannotFetchError, match="tries again"):
            weights.fetch(entry, "net")
        assert list(cache.iterdir()) == []
        assert weights.fetch(entry, "net").read_bytes() == content
        running.shutdown()
    assert len(asked) == 2


def test_what_a_killed_fetch_left_is_cleared_and_what_another_is_writing_is_not(cache, server):
    entry, name = serve(server)
    cache.mkdir(parents=True)
    old, new = cache / f"{name}.abc.partial", cache / f"{name}.def.partial"
    for partial in (old, new):
        partial.write_bytes(b"half")
    os.utime(old, (time.time() - 3600,) * 2)
    weights.fetch(entry, "net")
    assert not old.exists()
    assert new.exists()


def test_a_damaged_file_in_the_cache_says_to_delete_it(cache):
    cache.mkdir(parents=True)
    (cache / SqueezeNet1_1_Weights.DEFAULT.url.rsplit("/", 1)[1]).write_bytes(b"half")
    with pytest.raises(UserError, match="delete it"):
        weights.find("squeezenet1_1", "default")


def test_a_cache_that_cannot_be_read_is_a_reason_like_another(cache, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(weights, "_clear_abandoned", refuse)
    with pytest.raises(weights.CannotFetchError, match="Permission denied"):
        weights.fetch(SqueezeNet1_1_Weights.DEFAULT, "squeezenet1_1")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"0.weight": torch.ones(3, 4)}, r"1 of another shape: 0.weight is \(3, 4\), not \(2, 3\)"),
        ({"1.weight": torch.ones(1)}, "unexpected 1: 1.weight"),
        ({"0.bias": None}, "missing 1: 0.bias"),
    ],
)
def test_a_file_of_ones_own_names_the_layer_that_does_not_fit(tmp_path, change, says):
    network = nn.Sequential(nn.Linear(3, 2))
    state = {key: value for key, value in (network.state_dict() | change).items() if value is not None}
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=rf"is damaged \({says}\); get it again"):
        load_own(network, tmp_path / "w.safetensors", "get it again")
    (tmp_path / "w.safetensors").write_bytes(b"junk")
    with pytest.raises(UserError, match=r"is damaged \(.+\); get it again"):
        load_own(network, tmp_path / "w.safetensors", "get it again")


def test_a_file_in_half_precision_is_loaded_in_the_networks_own(tmp_path):
    network = nn.Sequential(nn.Linear(3, 2))
    save_file({key: value.half() for key, value in network.state_dict().items()}, tmp_path / "w.safetensors")
    load_own(network, tmp_path / "w.safetensors", "get it again")
    assert network[0].weight.dtype == torch.float32


def test_a_network_that_asks_for_its_weights_version_has_it(tmp_path):
    with torch.device("meta"):
        network = torchvision.models.mnasnet0_5(weights=None)
    state = {key: torch.zeros(value.shape, dtype=value.dtype) for key, value in network.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    load_own(network, tmp_path / "w.safetensors", "get it again")
    assert not network.classifier[1].weight.is_meta


def test_a_file_without_a_suffix_may_lie_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").write_bytes(b"no weights")
    with pytest.raises(UserError, match=f"{tmp_path}/mine"):
        weights.find("vgg16", "~/mine")
