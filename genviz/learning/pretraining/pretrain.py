"""A pretraining, from folders of pictures to the file of a decoder and how well it reconstructs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch import Tensor
from torch.utils.data import DataLoader
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
from tqdm.auto import tqdm

import genviz
from genviz.errors import UserError
from genviz.files import sha256, write_text
from genviz.generators import decoder_file
from genviz.generators.decoder import Decoder
from genviz.generators.decoder_file import Sizes
from genviz.learning import picture_folders
from genviz.learning.data import Batches, Centres, Damaged, stack
from genviz.learning.picture_folders import Folder
from genviz.learning.picture_training import Training, folder_of
from genviz.learning.pretraining.autoencoder import Autoencoder, norm
from genviz.learning.pretraining.reconstructions import Reconstructions
from genviz.training import build, fingerprint
from genviz.training.allocator import keep_freed_memory
from genviz.training.loggers import WandbRun
from genviz.training.trainer import close, make_trainer

_SHOWN = {"loss": ".4f", "psnr": ".2f"}
_BEST = "validation/psnr"
_MARGIN = 1.4  # side of a cached picture over that of a crop
_CODES = 2000  # pictures, at most, for the mean and deviation of the codes
_PANEL = 8


def pretrain(config: DictConfig, *, callbacks: Sequence[pl.Callback] = ()) -> int:
    """Train the configured autoencoder on pictures; return the program's exit code.

    Args:
        callbacks: additional ones, called before the checkpoint is written.

    Raises:
        UserError: a setting cannot work, or the checkpoint is of another run.
    """
    keep_freed_memory()
    folders = picture_folders.folders(config)
    probe = make_trainer(build.plain(config)["trainer"], [], updates=1)
    processes = probe.world_size
    updates = _updates(config, sum(len(folder.training) for folder in folders), processes)
    module, eye_sha256 = _module(config, updates)
    size = module.decoder.image_size
    damaged = Damaged(
        (path for folder in folders for path in (*folder.training, *folder.held_out)),
        say=probe.is_global_zero,
    )
    held_out = [path for folder in folders for path in folder.held_out]
    shown = next(batch for batch in _whole(held_out, size, damaged) if len(batch))[:_PANEL]
    panels = Reconstructions(folder=folder_of(config, "pretrain", "outputs"), pictures=shown)
    training = Training(
        config,
        "pretrain",
        updates=updates,
        identity=fingerprint.of_pretraining(config, updates, processes, eye_sha256, picture_folders.names(folders)),
        shown=_SHOWN,
        best=_BEST,
        callbacks=[panels, *callbacks],
    )
    path = training.outputs / f"{config.name}.safetensors"
    if training.is_done(path):
        print(f"{config.name} is done, {updates:,} updates: {path} (resume=false starts over)")
        return 0
    trainer = training.trainer
    crops = picture_folders.crops(
        config,
        folders,
        Batches(training.updates, config.batch, trainer.global_rank, trainer.world_size),
        size=size,
        shorter=round(_MARGIN * max(size)),
        damaged=damaged,
    )
    if trainer.is_global_zero:
        _begins(config, folders, module, updates)
    share = held_out[trainer.global_rank :: processes] if len(held_out) >= processes else held_out
    whole = _whole(share, size, damaged)
    with training.claimed():
        code = training.run(module, crops, whole)
        if code is not None:
            return code
        best = training.restore_best(module, whole)
        if trainer.is_global_zero:
            _finish(config, folders, module, training, damaged, path, best)
    return 0


def _updates(config: DictConfig, training: int, processes: int) -> int:
    """How many updates, given as such or as epochs."""
    if training < config.batch:
        raise UserError(
            f"{training} pictures to train on are fewer than a batch of {config.batch}; give more, or batch={training}"
        )
    if config.updates is not None:
        return int(config.updates)
    return math.ceil(config.epochs * training / (config.batch * processes))


def _module(config: DictConfig, updates: int) -> tuple[Autoencoder, str]:
    pl.seed_everything(config.seed, verbose=False)
    settings = build.plain(config)
    sizes = build.make({"_target_": "genviz.generators.decoder_file.Sizes"}, "decoder", **settings["decoder"])
    if not all(isinstance(value, list) for value in sizes):
        raise UserError(f"decoder's settings are lists, such as widths=[192,96,48]; not {settings['decoder']}")
    decoder = Decoder(**sizes._asdict(), norm=norm)
    watches = settings["loss"]["weight_features"] > 0
    eye = build.classifier(settings["eye"]) if watches else None
    module = build.make(
        {"_target_": "genviz.learning.pretraining.autoencoder.Autoencoder"},
        "autoencoder",
        decoder=decoder,
        encoder_widths=settings["encoder"]["widths"],
        hidden=settings["encoder"]["hidden"],
        sigma=config.noise,
        optimizer=build.optimizer(config),
        updates=updates,
        warm_up=config.warm_up,
        eye=eye,
        **settings["loss"],
        seed=config.seed,
    )
    assert isinstance(module, Autoencoder)
    module.configure_optimizers()  # checks its settings before anything is written
    return module.to(memory_format=torch.channels_last), "" if eye is None else eye.weights_sha256


def _whole(paths: Sequence[Path], size: tuple[int, int], damaged: Damaged) -> DataLoader[Any]:
    own = torch.Generator()  # otherwise each validation would draw one of the training's random numbers
    return DataLoader(
        Centres(paths, size=size, shorter=min(size), damaged=damaged), batch_size=50, collate_fn=stack, generator=own
    )


def _begins(config: DictConfig, folders: Sequence[Folder], module: Autoencoder, updates: int) -> None:
    rows, columns = module.decoder.image_size
    encoder, decoder = (sum(p.numel() for p in part.parameters()) for part in (module.encoder, module.decoder))
    print(f"{config.name}: {rows} x {columns} pixels, encoder {encoder:,} parameters, decoder {decoder:,}")
    print(*folders, sep="\n")
    print(f"{updates:,} updates of {config.batch} pictures", flush=True)


@torch.no_grad()
def _finish(
    config: DictConfig,
    folders: Sequence[Folder],
    module: Autoencoder,
    training: Training,
    damaged: Damaged,
    path: Path,
    best: int,
) -> None:
    module = module.cpu().eval()
    size = module.decoder.image_size
    learned = [picture for folder in folders for picture in folder.training]
    some = _batches(learned[:: math.ceil(len(learned) / _CODES)], size, damaged, "reading the codes")
    codes = torch.cat([module.encode(batch.float() / 255) for batch in some])
    settings, eye = build.plain(config), module.eye
    facts: dict[str, Any] = {
        "data": {folder.name: len(folder.training) for folder in folders},
        "held_out": {folder.name: len(folder.held_out) for folder in folders},
        "damaged": len(damaged),
        "updates": training.trainer.global_step,
        "best_update": best,
        "batch": config.batch * training.trainer.world_size,
        "hours": round(training.monitor.seconds / 3600, 2),
        "eye": None if eye is None else f"weights with the sha256 {eye.weights_sha256}",
        "settings": {name: settings[name] for name in ("encoder", "decoder", "loss", "optimizer", "noise", "warm_up")},
        "genviz": genviz.__version__,
        "torch": torch.__version__,
    }
    sizes = Sizes(**{name: tuple(value) for name, value in settings["decoder"].items()})
    spread = {"code_mean": codes.mean(0), "code_std": codes.std(0, correction=0)}
    decoder_file.write(module.decoder, sizes, path, **spread, facts=facts)
    written, _ = decoder_file.read(path)
    module.decoder.load_state_dict(
        {name.removeprefix("layers."): value for name, value in written.items() if name.startswith("layers.")}
    )
    facts["validation"] = _quality(module, [picture for folder in folders for picture in folder.held_out], damaged)
    decoder_file.write(module.decoder, sizes, path, **spread, facts=facts)  # the same, now with how good it is
    loggers = training.trainer.loggers
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.summarize(facts)
    close(loggers)
    write_text(
        training.result,
        json.dumps({"weights": path.name, "sha256": sha256(path), **facts, "waited": training.waited}, indent=2) + "\n",
    )
    print("\nquality of the held-out pictures, reconstructed by the decoder in the file:")
    for name, value in facts["validation"].items():
        print(f"  {value:7.3f}  {name}")
    if len(damaged):
        print(f"left out, as they cannot be decoded: {len(damaged)}")
    if training.waited > 0.05 * training.monitor.seconds / max(training.trainer.global_step, 1):
        print(f"an update waited {training.waited:.3f} s for its pictures; data.workers=N uses more processes")
    print(f"decoder  {path}  ({path.stat().st_size / 1e6:.1f} MB)")
    print(f"to use:  target=class:harmonica generator=pretrained generator.weights={path}", flush=True)


def _quality(module: Autoencoder, paths: Sequence[Path], damaged: Damaged) -> dict[str, float]:
    """How well the pictures of ``paths`` are reconstructed from their noisy versions."""
    alone: dict[str, Any] = {"data_range": (0.0, 1.0), "sync_on_compute": False}  # the other processes do not take part
    psnr, ssim = PeakSignalNoiseRatio(**alone), StructuralSimilarityIndexMeasure(**alone)
    for batch in _batches(paths, module.decoder.image_size, damaged, "measuring the file"):
        rebuilt, images = module(module.noisy_held_out(batch)).clamp(0, 1), batch.float() / 255
        psnr.update(rebuilt, images)
        ssim.update(rebuilt, images)
    measured = {"psnr": psnr.compute(), "ssim": ssim.compute()}
    return {name: round(torch.as_tensor(value).item(), 4) for name, value in measured.items()}


def _batches(paths: Sequence[Path], size: tuple[int, int], damaged: Damaged, what: str) -> Iterator[Tensor]:
    for batch in tqdm(_whole(paths, size, damaged), desc=what, unit="batch", leave=False):
        if len(batch):
            yield batch
