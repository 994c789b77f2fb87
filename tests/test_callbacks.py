"""A user's own training, with and without pictures of what it learns."""

import csv
import subprocess
import sys

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import genviz
from genviz.callbacks import Visualize
from genviz.images.video import frames

SETTINGS = {"input_size": 16, "mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2), "labels": ["dark", "light"]}
DRAWN = {"updates": 2, "settings": ["snapshot_every=1"]}


class Learner(pl.LightningModule):
    """With all that draws random numbers or keeps a state."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.3))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 2))

    def forward(self, images):
        return self.head(self.body(images))

    def training_step(self, batch, number):
        images, labels = batch
        return nn.functional.cross_entropy(self(images + 0.1 * torch.randn_like(images)), labels)

    def validation_step(self, batch, number):
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.01)


class Holding(Learner):
    """What is to be drawn is a part, which is not what the module returns."""

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(self.body, self.head)

    def forward(self, images):
        return self.model(images).flip(1)


def trained(*callbacks, epochs=3, resumed=None, folder=None, make=Learner):
    pl.seed_everything(0, verbose=False)
    labels = torch.arange(16) % 2
    data = TensorDataset(torch.randn(16, 3, 16, 16) + 2 * labels.view(-1, 1, 1, 1), labels)
    module = make()
    trainer = pl.Trainer(
        max_epochs=epochs, callbacks=list(callbacks), logger=False, accelerator="cpu", default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(module, DataLoader(data, 4, shuffle=True), DataLoader(data, 8), ckpt_path=resumed)
    return module, trainer


def test_a_training_ends_with_the_same_bits_with_and_without(tmp_path):
    plain, _ = trained()
    drawn_from = torch.rand(1), torch.get_rng_state()
    seen = Visualize("class:light", folder=tmp_path, **SETTINGS, **DRAWN)
    watched, _ = trained(seen)
    assert torch.equal(torch.rand(1), drawn_from[0])
    for name, value in plain.state_dict().items():
        assert torch.equal(value, watched.state_dict()[name]), name
    assert watched.training == plain.training
    assert all(parameter.requires_grad for parameter in watched.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in watched.modules())
    assert [one.epoch for one in seen.drawn] == [0, 1, 2, 3]


def test_it_draws_the_network_of_each_epoch(tmp_path):
    """The same seed at every epoch: the pictures differ because the network does."""
    seen = Visualize("class:light", every=2, folder=tmp_path, **SETTINGS, **DRAWN)
    module, _ = trained(seen)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch-0000.png", "epoch-0002.png", "epoch-0003.png", "evolution.mp4", "pictures.csv",
    ]  # fmt: skip
    rows = list(csv.DictReader((tmp_path / "pictures.csv").open()))
    assert [row["epoch"] for row in rows] == ["0", "2", "3"]
    assert rows[0]["measure"] == ""
    assert rows[1]["measure"].startswith("val_acc ")
    assert frames(tmp_path / "evolution.mp4") == 15
    verdict = genviz.visualize(module, "class:light", **SETTINGS, **DRAWN, accelerator="cpu").verdicts[0]
    assert float(rows[-1]["activation"]) == pytest.approx(verdict.activation, rel=1e-6)
    assert float(rows[0]["activation"]) != pytest.approx(verdict.activation, rel=1e-3)


def test_a_measure_that_is_not_logged_is_a_warning(tmp_path):
    seen = Visualize("class:light", folder=tmp_path, measure="val_ac", **SETTINGS, **DRAWN)
    with pytest.warns(UserWarning, match=r"measure=val_ac is not logged; the training logs .*val_acc") as told:
        trained(seen)
    assert sum("val_ac is" in str(warning.message) for warning in told) == 1
    assert {one.measure for one in seen.drawn} == {""}


@pytest.mark.parametrize("network", ["model", lambda module: module.model])
def test_the_named_part_is_drawn(tmp_path, network):
    seen = Visualize("class:light", folder=tmp_path, network=network, every=3, **SETTINGS, **DRAWN)
    module, _ = trained(seen, make=Holding)
    rows = list(csv.DictReader((tmp_path / "pictures.csv").open()))
    own, whole = (
        genviz.visualize(each, "class:light", **SETTINGS, **DRAWN, accelerator="cpu").verdicts[0].activation
        for each in (module.model, module)
    )
    assert [row["epoch"] for row in rows] == ["0", "3"]
    assert float(rows[-1]["activation"]) == pytest.approx(own, rel=1e-6)
    assert own != pytest.approx(whole, rel=1e-3)


def test_a_part_that_cannot_be_drawn_says_so(tmp_path):
    seen = Visualize("filter:0:2", folder=tmp_path, network=lambda module: module.body, **SETTINGS, **DRAWN)
    with pytest.raises(genviz.UserError, match="class scores"):
        trained(seen)  # the body has none
    seen = Visualize("class:light", folder=tmp_path, network="nothing", **SETTINGS, **DRAWN)
    with pytest.raises(genviz.UserError, match="no such attribute"):
        trained(seen)


def test_a_resumed_training_continues_its_video(tmp_path):
    make = lambda: Visualize("class:light", folder=tmp_path / "seen", **SETTINGS, **DRAWN)  # noqa: E731
    _, trainer = trained(make(), epochs=2)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    seen = make()
    trained(seen, epochs=3, resumed=tmp_path / "last.ckpt")
    assert [one.epoch for one in seen.drawn] == [0, 1, 2, 3]
    assert frames(tmp_path / "seen" / "evolution.mp4") == 20


def test_they_are_there_without_an_import_of_their_own():
    code = "import genviz; print(genviz.callbacks.Visualize('class:cat', every=5).every)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "5\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [({"every": 0}, "every=0"), ({"at": "noon"}, "it takes epoch, validation"), ({"measure": 3}, "measure=3")],
)
def test_a_setting_that_cannot_work(words, told):
    with pytest.raises(genviz.UserError, match=told):
        Visualize("class:light", **words)


def test_a_class_that_the_network_lacks_ends_it_at_once(tmp_path):
    with pytest.raises(genviz.UserError, match="dusk"):
        trained(Visualize("class:dusk", folder=tmp_path, **SETTINGS))


def test_a_picture_that_fails_does_not_end_the_training(tmp_path, monkeypatch):
    """Only at the start, where nothing is lost."""
    plain, _ = trained()
    seen = Visualize("class:light", folder=tmp_path, **SETTINGS, **DRAWN)

    def fails(*given, **words):
        if seen.drawn and seen.drawn[-1].epoch == 1 and not failed:
            failed.append(True)
            torch.rand(1)
            raise OSError(28, "No space left on device")
        return genviz.visualize(*given, **words)

    failed = []
    monkeypatch.setattr("genviz.callbacks.visualize", fails)
    with pytest.warns(UserWarning, match=r"no picture of epoch 2 \(.*No space left"):
        watched, _ = trained(seen)
    assert [one.epoch for one in seen.drawn] == [0, 1, 3]
    for name, value in plain.state_dict().items():
        assert torch.equal(value, watched.state_dict()[name]), name


def test_what_fails_at_the_start_ends_it(tmp_path, monkeypatch):
    def fails(*given, **words):
        raise RuntimeError("odd")

    monkeypatch.setattr("genviz.callbacks.visualize", fails)
    with pytest.raises(RuntimeError, match="odd"):
        trained(Visualize("class:light", folder=tmp_path, **SETTINGS, **DRAWN))


def test_two_targets_are_drawn_beside_each_other(tmp_path):
    make = lambda name: Visualize(f"class:{name}", folder=tmp_path / name, **SETTINGS, **DRAWN)  # noqa: E731
    _, trainer = trained(make("light"), make("dark"), epochs=1)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    light, dark = make("light"), make("dark")
    trained(dark, light, epochs=2, resumed=tmp_path / "last.ckpt")
    for seen, name in ((light, "light"), (dark, "dark")):
        assert [one.epoch for one in seen.drawn] == [0, 1, 2]
        assert frames(tmp_path / name / "evolution.mp4") == 15


def test_two_callbacks_cannot_share_a_folder(tmp_path):
    seen = [Visualize(f"class:{name}", folder=tmp_path, **SETTINGS, **DRAWN) for name in ("light", "dark")]
    with pytest.raises(genviz.UserError, match=r"is that of two callbacks; give each a folder of its own"):
        trained(*seen)
    assert not list(tmp_path.iterdir())


class Saves(pl.Callback):
    """A checkpoint after an epoch's last update, and before its end."""

    def __init__(self, path, updates):
        self.path, self.updates = path, updates

    def on_train_batch_end(self, trainer, *given):
        if trainer.global_step == self.updates:
            trainer.save_checkpoint(self.path)


@pytest.mark.parametrize(("updates", "epochs"), [(8, [0, 1, 3, 4]), (6, [0, 1, 2, 3, 4])])
def test_a_checkpoint_within_an_epoch_keeps_the_count(tmp_path, updates, epochs):
    """At 8 updates the second epoch is over once it is resumed, and is not drawn."""
    make = lambda: Visualize("class:light", folder=tmp_path / "seen", **SETTINGS, **DRAWN)  # noqa: E731
    trained(make(), Saves(tmp_path / "step.ckpt", updates), epochs=2)
    seen = make()
    trained(seen, epochs=4, resumed=tmp_path / "step.ckpt")
    assert [one.epoch for one in seen.drawn] == epochs


def test_a_training_that_was_begun_without_it_keeps_its_count(tmp_path):
    _, trainer = trained(epochs=2)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    seen = Visualize("class:light", folder=tmp_path / "seen", **SETTINGS, **DRAWN)
    trained(seen, epochs=3, resumed=tmp_path / "last.ckpt")
    assert [one.epoch for one in seen.drawn] == [2, 3]


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Visualize("class:cat", folder="~/seen").folder == tmp_path / "seen"


@pytest.mark.slow
def test_it_draws_filters_by_their_contribution(tmp_path):
    seen = Visualize("filter:body.0:top1:light", folder=tmp_path, **SETTINGS, **DRAWN)
    trained(seen, epochs=1)
    assert seen.drawn[0].epoch == 0  # after the training, this small network is silent where such pictures begin
    with pytest.raises(genviz.UserError, match="dusk"):
        trained(Visualize("filter:body.0:top1:dusk", folder=tmp_path / "b", **SETTINGS))
