"""Lightning's trainer, and nothing of genviz's beside it."""

import pytorch_lightning as pl
from torch.utils.data import DataLoader


def fit(coupling, updates, checkpoint=None):
    trainer = pl.Trainer(
        max_steps=updates, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(coupling, DataLoader(range(updates), batch_size=None), ckpt_path=checkpoint)
    return trainer
