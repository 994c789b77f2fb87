import pytest
import torch
import torch.nn.functional as F
from torch import nn

from genviz.classifiers.input_space import InputSpace
from genviz.errors import UserError
from genviz.learning.fitting.augmentation import Augmentation
from genviz.learning.fitting.classification import Classification
from genviz.learning.fitting.labelled import Batch


class Constrained(nn.Linear):
    """Sums of the colours; counts how often it is constrained."""

    times = 0

    def forward(self, images):
        return super().forward(images.mean((2, 3)))

    def constrain(self):
        self.times += 1


def made(**more):
    torch.manual_seed(0)
    space = InputSpace(mean=(0.5, 0.5, 0.5))
    sgd = lambda parameters: torch.optim.SGD(parameters, 0.1)  # noqa: E731
    return Classification(network=Constrained(3, 4), input_space=space, classes=4, optimizer=sgd, **more)


DRAW = torch.Generator().manual_seed(2)
BATCH = Batch(torch.randint(0, 255, (5, 3, 6, 6), dtype=torch.uint8, generator=DRAW), torch.tensor([0, 1, 2, 3, 0]))


def test_the_loss_is_the_cross_entropy_of_what_the_network_says():
    module = made()
    step = module.training_step(BATCH, 0)
    scores = module.network(BATCH.images.float() / 255 - 0.5)
    torch.testing.assert_close(step["loss"], F.cross_entropy(scores, BATCH.labels))
    right = (scores.argmax(1) == BATCH.labels).float().mean()
    assert step["metrics"]["accuracy"] == right
    assert module.accuracy.compute() == right
    module.on_train_batch_end({}, BATCH, 0)
    assert module.network.times == 1


def test_validation_draws_the_same_each_time_and_nothing_of_the_trainings():
    module = made(of_validation=Augmentation(rotation=20, shift=0.3), seed=4)
    state = torch.get_rng_state()
    losses = []
    for _ in range(2):
        module.on_validation_start()
        module.validation_step(BATCH, 0)
        losses.append(float(module.validation_loss.compute()))
        module.validation_loss.reset()
    assert losses[0] == losses[1]
    assert torch.equal(state, torch.get_rng_state())
    plain = made()
    plain.on_validation_start()
    plain.validation_step(BATCH, 0)
    assert float(plain.validation_loss.compute()) != pytest.approx(losses[0], rel=1e-3)


@pytest.mark.filterwarnings("ignore:The ``compute``")
def test_a_checkpoint_within_an_epoch_keeps_what_was_measured():
    module, other = made(), made()
    module.training_step(BATCH, 0)
    other.load_state_dict(module.state_dict())
    assert other.accuracy.compute() == module.accuracy.compute()
    assert other.loss.compute() == module.loss.compute()


def test_a_batch_of_damaged_pictures_is_nothing():
    module = made(augmentation=Augmentation(rotation=20))
    module.on_validation_start()
    empty = Batch(torch.empty(0, 3, 6, 6, dtype=torch.uint8), torch.empty(0).long())
    module.validation_step(empty, 0)
    assert not module.validation_loss.update_called
    step = module.training_step(empty, 0)
    assert step["loss"] == step["metrics"]["loss"] == 0
    step["loss"].backward()
    assert all(value.grad is not None and not value.grad.any() for value in module.network.parameters())
    assert not module.loss.update_called


def test_one_picture_is_too_few_for_batch_norm():
    """As where the others of a batch are damaged."""
    module = made()
    module.network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 4)).train()
    with pytest.raises(UserError, match="batch norm; give a larger batch=N"):
        module.training_step(Batch(BATCH.images[:1], BATCH.labels[:1]), 0)
    assert module.training_step(BATCH, 0)["loss"] > 0
