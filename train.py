"""Train a generator until a target fires: python train.py target=class:harmonica"""

from pathlib import Path

from omegaconf import DictConfig

from genviz import build, program


def main(config: DictConfig) -> int:
    build.check(config)
    target = build.target(config, build.sketch(config))

    from genviz.run import train  # after the target is understood: Lightning takes seconds to import

    return train(config, target)


if __name__ == "__main__":
    program.run(main, configs=Path(__file__).resolve().parent / "configs", name="train")
