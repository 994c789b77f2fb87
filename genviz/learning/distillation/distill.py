"""A distillation, from folders of pictures to a file of weights and its agreement with the teacher."""

from __future__ import annotations

from omegaconf import DictConfig

from genviz.training.allocator import keep_freed_memory


def distill(config: DictConfig) -> int:
    """Train the configured student on its teacher; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or the checkpoint is of another run.
    """
    keep_freed_memory()
    if "heads" in config.student:
        from genviz.learning.distillation.distill_heads import distill as teach
    else:
        from genviz.learning.distillation.distill_plain import distill as teach
    return teach(config)
