import pytest
import torch
from torch import nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.outline import sketch_network
from genviz.classifiers.plain import PlainNetwork
from genviz.classifiers.small import input_space
from genviz.classifiers.tracing.receptive_field import receptive_fields
from genviz.errors import UserError
from genviz.learning.distillation.distillation import Distillation

WIDTHS = [[4], [5], [6]]


class Teacher(FrozenClassifier):
    @classmethod
    def sketch(cls, **settings):
        with torch.device("meta"):
            return sketch_network(PlainNetwork(WIDTHS, 7), tuple("abcdefg"), settings["size"])


def teacher(size):
    torch.manual_seed(0)
    network = PlainNetwork(WIDTHS, 7)
    outline = Teacher.sketch(size=size)
    return Teacher(network, outline, input_space(), weights_source="seeded", weights_sha256="0" * 64)


def distillation(size=32, teacher_size=32, **settings):
    module = Distillation(
        teacher=teacher(teacher_size),
        examiner=teacher(teacher_size),
        student=PlainNetwork(WIDTHS, 7, batch_norm=True),
        input_space=input_space(),
        size=size,
        final_size=size,
        hints={"relu2_1": "relu2_1"},
        optimizer=lambda parameters: torch.optim.SGD(parameters, 0.1),
        updates=100,
        held_out=["pictures"],
        **settings,
    )
    module.log = lambda *arguments: None  # there is no trainer
    return module


def crops(size=32, count=6):
    torch.manual_seed(1)
    return (torch.rand(count, 3, size, size) * 255).to(torch.uint8)


def test_the_teachers_own_weights_leave_nothing_to_learn():
    module = distillation(mix=0.0)
    module.student = module.teacher.network
    module.fields = receptive_fields(module.student)
    module._begin_with_the_mean = lambda maps: None
    step = module.training_step(crops(), 0)
    assert step["metrics"]["divergence"] == pytest.approx(0, abs=1e-4)
    assert step["metrics"]["explained/maps"] == pytest.approx(1, abs=1e-4)
    assert step["metrics"]["explained/relu2_1"] < 0.9  # its projection has not been learned


def test_positions_are_compared_at_the_same_place_of_the_picture():
    """A map that holds the pixel at which each of its positions looks is met at the student's own."""
    module = distillation(size=32, teacher_size=48)
    theirs = module.teacher_fields["relu2_1"]
    extent = 24
    at = theirs.offset + theirs.stride * torch.arange(extent).float()
    maps = at.view(1, 1, 1, extent).expand(1, 1, extent, extent).contiguous()
    columns = torch.arange(16)
    field = module.fields["relu2_1"]
    expected = (field.offset + field.stride * columns.float() + 0.5) * 48 / 32 - 0.5
    found = module._at(maps, "relu2_1", "relu2_1", torch.tensor([3]), columns)[0, 0, :, 0]
    torch.testing.assert_close(found, expected.clamp(at[0], at[-1]))


def test_a_few_updates_on_some_crops_explain_more_of_them():
    module = distillation(mix=0.0)
    optimizer = torch.optim.Adam([*module.student.parameters(), *module.projections.parameters()], 0.02)
    found = []
    for _ in range(60):
        step = module.training_step(crops(), 0)
        module._begin_with_the_mean = lambda maps: None
        optimizer.zero_grad()
        step["loss"].backward()
        optimizer.step()
        found.append(float(step["metrics"]["explained/maps"]))
    assert found[-1] > max(found[0], 0) + 0.2


def test_the_teacher_sees_no_noise_and_takes_no_gradient():
    torch.manual_seed(0)
    module = distillation(mix=0.0, noise=0.5)
    seen = []
    module.teacher.register_forward_pre_hook(lambda part, given: seen.append(given[0]))
    module.training_step(crops(), 0)["loss"].backward()
    torch.testing.assert_close(seen[0], crops().float() / 255)
    assert all(parameter.grad is None for parameter in module.teacher.parameters())


def test_the_state_is_the_students_and_the_hints_and_every_key_is_asked_for():
    module, other = distillation(), distillation()
    state = module.state_dict()
    assert {name.split(".")[0] for name in state} == {"student", "projections"}
    other.load_state_dict(state)
    torch.testing.assert_close(other.student.fc8.weight, module.student.fc8.weight)
    del state["student.fc8.weight"]
    with pytest.raises(RuntimeError, match=r"fc8\.weight"):
        other.load_state_dict(state, strict=False)


def test_agreement_is_the_teachers_first_answer_among_the_students():
    module = distillation().eval()

    class Fixed(nn.Module):
        def __init__(self, scores):
            super().__init__()
            self.scores = scores

        def forward(self, images, layers=None):
            return self.scores if layers is None else {"scores": self.scores}

    answers = torch.eye(7)[[0, 1, 2, 3]] + torch.arange(7) / 100
    guesses = torch.stack([answers[0], answers[1], torch.arange(7.0), torch.arange(7.0, 0, -1)])
    module.examiner, module.student = Fixed(answers), Fixed(guesses)
    module.validation_step(crops(count=4), 0)
    measures = {name.split("/")[1]: value for name, value in module.agreements.take().items()}
    assert measures["top1"] == 0.5
    assert measures["top5"] == 1.0  # 2 is fifth of 6 5 4 3 2; 3 is fourth of 0 1 2 3
    correlations = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(answers, guesses, strict=True)]
    assert measures["correlation"] == pytest.approx(float(torch.stack(correlations).mean()))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"size": 4}, "size=4 is too small"),
        ({"temperature": 0}, "temperature"),
        ({"mix": 2}, "mix=2"),
        ({"positions": 0}, "positions"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, says):
    with pytest.raises((UserError, ValueError), match=says):
        distillation(**settings)


def test_a_map_of_one_position_is_met_everywhere():
    module = distillation()
    maps = torch.full((2, 5, 1, 1), 7.0)
    assert (module._at(maps, "relu2_1", "relu2_1", torch.tensor([0, 3]), torch.tensor([2])) == 7).all()
