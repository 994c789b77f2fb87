"""Train a small classifier to see what a large one sees: python distill.py data.root=photos/ teacher=vgg16"""

from pathlib import Path

from omegaconf import DictConfig

from genviz import program


def main(config: DictConfig) -> int:
    from genviz.runs.distill import distill

    return distill(config)


if __name__ == "__main__":
    program.run(main, configs=Path(__file__).resolve().parent / "configs", name="distill")
