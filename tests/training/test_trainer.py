"""A run by itself, whatever a scheduler or a launcher has left around it."""

import os
import shutil
import signal

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment
from pytorch_lightning.profilers import SimpleProfiler
from pytorch_lightning.utilities import rank_zero_only
from user import RUN, WORDS

from genviz.training.signals import EndedError, ending, noticing
from genviz.training.trainer import _environment, fit, make_trainer, validate

RANKS = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "nowhere.invalid", "MASTER_PORT": "1"}
LEFT = {
    "slurm": {
        **{"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "x", "SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "3"},
        **{"SLURM_NODEID": "1", "SLURM_NNODES": "2", "SLURM_NODELIST": "a[1-2]", "SLURM_NTASKS_PER_NODE": "2"},
    },
    "torchrun": {**RANKS, "TORCHELASTIC_RUN_ID": "x", "GROUP_RANK": "1", "LOCAL_WORLD_SIZE": "4"},
    "kubeflow": {**RANKS, "KUBERNETES_PORT": "tcp://127.0.0.1:443"},
    "lsf": {"LSB_JOBID": "7", "LSB_DJOB_RANKFILE": "/none", "JSM_NAMESPACE_SIZE": "4", "JSM_NAMESPACE_RANK": "1"},
    "mpi": {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "PMI_RANK": "1", "PMI_SIZE": "4"},
    "lightning": {
        **{"PL_TRAINER_DEVICES": "4", "PL_TRAINER_FAST_DEV_RUN": "1", "PL_TRAINER_LIMIT_TRAIN_BATCHES": "1"},
        **{"PL_TRAINER_GRADIENT_CLIP_VAL": "1e-9", "PL_GLOBAL_SEED": "7", "PL_SEED_WORKERS": "1"},
    },
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return tmp_path_factory.mktemp("plain")


def picture(folder):
    return (folder / "outputs" / RUN / "final.png").read_bytes()


@pytest.mark.parametrize("left", LEFT)
def test_what_is_left_in_the_environment_changes_nothing(left, plain, tmp_path, called, monkeypatch):
    if not (plain / "outputs").exists():
        called("train", *WORDS, "updates=4", "logger=none", folder=plain)
        called("train", *WORDS, "updates=2", "seed=1", "tag=other", "logger=none", folder=plain)
    (other,) = plain.glob("checkpoints/*/*other/*/last.ckpt")
    for number in (1, 7):
        shutil.copy(other, tmp_path / f"hpc_ckpt_{number}.ckpt")
    for name, value in LEFT[left].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning reads it where it is imported first
    done = called("train", *WORDS, "updates=4")
    assert done.returncode == 0, done.stderr
    assert "srun" not in done.stderr
    assert picture(tmp_path) == picture(plain)
    assert list(tmp_path.glob("outputs/**/offline-run-*"))


@pytest.mark.parametrize("devices", [1, "1"])
def test_a_single_process_asks_nobody(devices, monkeypatch):
    def asked(*arguments):
        raise AssertionError

    for environment in (SLURMEnvironment, TorchElasticEnvironment):
        monkeypatch.setattr(environment, "detect", asked)
    trainer = make_trainer({"accelerator": "cpu", "devices": devices, "strategy": "auto"}, [], updates=1)
    assert trainer.world_size == 1
    assert torch.device("cpu") == trainer.strategy.root_device


@pytest.mark.parametrize(("devices", "alone"), [([0], True), ([3], True), ([0, 1], False), (2, False), ("2", False)])
def test_a_list_of_one_card_is_a_single_process_that_asks_nobody(devices, alone, monkeypatch):
    asked = []
    monkeypatch.setattr(SLURMEnvironment, "detect", lambda: asked.append(devices))
    found = _environment({"accelerator": "gpu", "devices": devices, "strategy": "auto"})
    assert [type(one) for one in found] == ([LightningEnvironment] if alone else [])
    assert bool(asked) is not alone


def test_several_processes_are_those_of_the_scheduler(monkeypatch):
    for name, value in {**LEFT["slurm"], "SLURM_NTASKS": "2", "SLURM_NNODES": "1", "SLURM_PROCID": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    trainer = make_trainer({"accelerator": "cpu", "devices": 2, "strategy": "ddp"}, [], updates=1)
    assert (trainer.world_size, trainer.global_rank, rank_zero_only.rank) == (2, 1, 1)
    assert not trainer._accelerator_connector.cluster_environment.auto_requeue


class One(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch):
        os.kill(os.getpid(), signal.SIGTERM)
        return self.number * batch

    def validation_step(self, batch):
        os.kill(os.getpid(), signal.SIGTERM)

    def configure_optimizers(self):
        return torch.optim.SGD([self.number], lr=0.1)


def test_sigterm_is_the_callers_to_answer():
    before = signal.getsignal(signal.SIGTERM)
    trainer = make_trainer({"accelerator": "cpu", "devices": 1}, [], updates=3)
    with noticing() as noticed:
        fit(trainer, One(), 3)  # Lightning would end the process here, as one that succeeded
    assert noticed == [signal.SIGTERM] * 3
    assert trainer.global_step == 3
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("context", [noticing, ending])
def test_sigterm_during_a_validation_is_no_success(context):
    trainer = make_trainer({"accelerator": "cpu", "devices": 1}, [], updates=3)
    with pytest.raises(EndedError) as raised, context():
        validate(trainer, One(), torch.utils.data.DataLoader(range(3), batch_size=None))
    assert raised.value.signal == signal.SIGTERM


def test_sigterm_while_the_data_is_looked_at_is_no_success():
    class Batches(torch.utils.data.DataLoader):
        def __len__(self):  # asked for before any callback of a training
            os.kill(os.getpid(), signal.SIGTERM)
            return super().__len__()

    trainer = make_trainer({"accelerator": "cpu", "devices": 1}, [], updates=3)
    with pytest.raises(EndedError), noticing() as noticed:
        fit(trainer, One(), Batches(range(3), batch_size=None))
    assert set(noticed) == {signal.SIGTERM}


def test_a_profiler_that_is_asked_for_profiles():
    trainer = make_trainer({"accelerator": "cpu", "devices": 1, "profiler": "simple"}, [], updates=1)
    assert isinstance(trainer.profiler, SimpleProfiler)
    with make_trainer({"accelerator": "cpu", "devices": 1}, [], updates=1).profiler.profile("an action"):
        pass
