"""Train a generator until a target fires: python train.py target=class:harmonica"""

from pathlib import Path

from omegaconf import DictConfig

from genviz import program


def main(config: DictConfig) -> int:
    # Imported when they are needed: --help needs neither, and a wrong target not Lightning, which takes seconds.
    from genviz import build

    build.check(config)
    target = build.target(config, build.sketch(config))

    from genviz.runs.train import train

    return train(config, target)


if __name__ == "__main__":
    program.run(main, configs=Path(__file__).resolve().parent / "configs", name="train")
