import pytest
import torch
from small_lessons import crops, lessons

from genviz.classifiers.heads import Head, Heads, Shape
from genviz.errors import UserError
from genviz.learning.distillation.head_distillation import Course, HeadDistillation, quick
from genviz.learning.distillation.lessons import Lesson

COURSES = [Course(hidden=7), Course(hidden=6, kernel=3), Course(hidden=8, pooling="features"), Course()]
PLAIN = {"feature_noise": 0.0, "feature_mix": 0.0, "mirror": 0.0, "swap": 0.0}


def distillation(courses=COURSES, **settings):
    module = HeadDistillation(
        lessons=lessons(),
        courses=courses,
        optimizer=lambda parameters: torch.optim.SGD(parameters, 0.1),
        updates=100,
        held_out=["pictures"],
        **settings,
    )
    module.log = lambda name, value, **more: told.update({name: float(value)})  # there is no trainer
    told.clear()
    return module


told = {}


def lesson(count=8):
    return lessons()(crops(count), 32)


@pytest.mark.parametrize("shape", [Shape(6, 5, *rest) for rest in ((), (7,), (7, 3), (None, 3), (7, 1, "features"))])
def test_the_quick_scores_are_the_heads(shape):
    head, features = Head(shape), torch.rand(3, 6, 4, 5)
    torch.testing.assert_close(quick(head, features), head(features))


def test_the_finished_heads_score_features_as_they_are():
    module = distillation(**PLAIN)
    features = lesson().features * torch.tensor([300.0, 1, 1, 20, 1, 1]).view(-1, 1, 1)
    module.training_step(Lesson(features, lesson().scores), 0)
    assert module.scale.max() > 20 * module.scale.min()
    finished = module.finished()
    assert isinstance(finished, Heads)
    torch.testing.assert_close(finished(features), module.heads(features / module.scale), rtol=1e-4, atol=1e-5)


def test_heads_are_trained_further_from_where_they_are():
    given = Heads([Shape(6, lesson().scores.shape[1], *rest) for rest in ((7,), (6, 3), (8, 1, "features"), ())])
    features = lesson().features * torch.tensor([300.0, 1, 1, 20, 1, 1]).view(-1, 1, 1)
    module = distillation(begin=given, **PLAIN)
    module.training_step(Lesson(features, lesson().scores), 0)
    torch.testing.assert_close(module.heads(features / module.scale), given(features), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(module.finished()(features), given(features), rtol=1e-4, atol=1e-5)


def test_heads_of_other_classes_are_not_trained_further():
    with pytest.raises(UserError, match="these heads have 3 classes, and the teacher"):
        distillation([Course()], begin=Heads([Shape(6, 3)]))


def test_the_loss_is_the_divergence_at_the_temperature():
    module = distillation([Course()], temperature=3.0, **PLAIN)
    given = lesson()
    step = module.training_step(given, 0)
    guess = module.heads[0](given.features / module.scale).div(3).softmax(1)
    answer = given.scores.div(3).softmax(1)
    expected = 9 * (answer * (answer / guess).log()).sum(1).mean()
    assert step["loss"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert float(step["metrics"]["divergence/head1"]) == pytest.approx(expected.item(), rel=1e-4)


def test_crops_are_lessons_too():
    module = distillation(**PLAIN)
    torch.manual_seed(0)
    on_the_fly = module.training_step(crops(), 0)["loss"]
    torch.manual_seed(0)
    torch.testing.assert_close(on_the_fly, module.training_step(module.lessons(crops()), 0)["loss"])


def test_heads_do_not_learn_from_one_another():
    alone, together = (
        distillation([Course(hidden=7, seed=5)], **PLAIN),
        distillation([Course(), Course(hidden=7, seed=5)], **PLAIN),
    )
    for module in (alone, together):
        module.training_step(lesson(), 0)["loss"].backward()
    for one, other in zip(alone.heads[0].parameters(), together.heads[1].parameters(), strict=True):
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(one.grad, other.grad)


def test_heads_begin_differently_and_a_seed_says_how():
    module = distillation([Course(), Course(), Course(seed=1), Course(seed=0)])
    first, second, third, fourth = (head.classes.weight for head in module.heads)
    assert not torch.equal(first, second)
    assert torch.equal(second, third)
    assert torch.equal(first, fourth)


def test_the_crops_of_classes_that_are_not_its_own_are_left_to_other_heads():
    module = distillation([Course(share=0.6, seed=2)], **PLAIN)
    learned = module.shares[0]
    assert learned.sum() == 3  # of 5
    scores = 20 * torch.eye(5)
    features = torch.rand(5, 6, 4, 4)
    module.training_step(Lesson(features, scores), 0)["loss"].backward()
    alone = distillation([Course(share=0.6, seed=2)], **PLAIN)
    alone.scale.copy_(module.scale)
    guess = alone.heads[0](features[learned] / alone.scale).div(2).log_softmax(1)
    answer = scores[learned].div(2).softmax(1)
    (4 * torch.nn.functional.kl_div(guess, answer, reduction="batchmean")).backward()
    torch.testing.assert_close(module.heads[0].classes.weight.grad, alone.heads[0].classes.weight.grad)


def test_a_few_updates_bring_the_heads_to_the_teacher():
    module = distillation(feature_mix=0.0, feature_noise=0.05)
    optimizer = torch.optim.Adam(module.heads.parameters(), 0.01)
    given, found = lesson(16), []
    given = given._replace(scores=20 * given.scores)
    for _ in range(60):
        step = module.training_step(given, 0)
        optimizer.zero_grad()
        step["loss"].backward()
        optimizer.step()
        found.append([float(step["metrics"][f"divergence/head{number}"]) for number in range(1, 5)])
    assert all(end < 0.6 * begin for begin, end in zip(found[0], found[-1], strict=True))


def test_features_are_mirrored_and_positions_change_places():
    given = torch.arange(8.0 * 6 * 4 * 4).view(8, 6, 4, 4)
    torch.manual_seed(0)
    changed = distillation(**{**PLAIN, "mirror": 0.5})._changed(given, Course())
    mirrored = [torch.equal(new, old.flip(2)) for new, old in zip(changed, given, strict=True)]
    assert 0 < sum(mirrored) < 8
    assert all(m or torch.equal(new, old) for m, new, old in zip(mirrored, changed, given, strict=True))
    changed = distillation(**{**PLAIN, "swap": 0.3})._changed(given, Course()).flatten(2)
    others = (changed != given.flatten(2)).any(1)
    assert 0.1 < others.float().mean() < 0.5
    for new, old in zip(changed, given.flatten(2), strict=True):
        columns = {tuple(column.tolist()) for column in old.T}
        assert all(tuple(column.tolist()) in columns for column in new.T)


def test_a_head_may_have_a_noise_of_its_own():
    module, given = distillation(**{**PLAIN, "feature_noise": 0.5}), torch.ones(8, 6, 4, 4)
    assert torch.equal(module._changed(given, Course(feature_noise=0.0)), given)
    assert (module._changed(given, Course()) - given).std() > 0.1


def test_the_validation_tells_of_each_head_and_of_their_mean():
    module = distillation([Course(), Course(hidden=3)])
    module.validation_step(module.lessons.whole(crops()), 0)
    module.validation_step(crops(0), 1)
    module.on_validation_epoch_end()
    kinds = ("top1", "top5", "correlation")
    assert set(told) == {f"pictures/{who}/{kind}" for who in ("mean", "head1", "head2") for kind in kinds}
    scores = module.heads(module.lessons.whole(crops()).features)
    expected = module.lessons.whole(crops()).scores
    assert told["pictures/mean/top1"] == (scores.argmax(1) == expected.argmax(1)).float().mean()


def test_the_state_is_the_heads_and_the_scale_and_every_key_is_asked_for():
    module, other = distillation(seed=1), distillation(seed=2)
    module.training_step(lesson(), 0)
    state = module.state_dict()
    assert {name.split(".")[0] for name in state} == {"heads", "scale"}
    other.load_state_dict(state)
    torch.testing.assert_close(other.finished().state_dict(), module.finished().state_dict())
    del state["heads.0.classes.bias"]
    with pytest.raises(RuntimeError, match=r"0\.classes\.bias"):
        other.load_state_dict(state, strict=False)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"temperature": 0}, "temperature=0"), ({"mirror": 2}, "mirror=2"), ({"swap": -1}, "swap=-1"),
     ({"feature_mix": 3}, "feature_mix=3"), ({"feature_noise": -1}, "feature_noise=-1"),
     ({"courses": [Course(share=2)]}, r"heads\[0\].share=2"),
     ({"courses": [Course(), Course(feature_noise=-1)]}, r"heads\[1\].feature_noise=-1")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        distillation(**settings)


@pytest.mark.parametrize(
    ("course", "says"),
    [(Course(hidden=0), "whole numbers above 0"), (Course(kernel=2), "kernel must be 1 or 3"),
     (Course(kernel=3, pooling="features"), "pooling=features needs kernel=1")],
)  # fmt: skip
def test_a_head_that_there_is_none_of_is_one_line(course, says):
    with pytest.raises(UserError, match=says):
        distillation([course])


def test_no_head_is_one_line():
    with pytest.raises(UserError, match="student.heads is empty"):
        distillation([])


def test_features_are_moved_towards_what_fires_and_stay_what_a_relu_leaves():
    module = distillation([Course(hidden=7)], adversarial=0.2, **PLAIN)
    (head,) = module.heads
    features = torch.rand(16, module.lessons.channels, 3, 3)
    torch.manual_seed(0)
    moved = module._moved(head, features)
    torch.manual_seed(0)
    wanted = torch.randint(module.lessons.classes, (16, 1))
    gained = (head(moved) - head(features)).gather(1, wanted)
    assert (gained > 0).all()
    lengths = (moved - features).flatten(1).norm(dim=1) / features.flatten(1).norm(dim=1)
    assert lengths.max() <= 0.4 + 1e-5
    assert (moved >= 0).all()
    assert not moved.requires_grad


def test_what_fools_a_head_counts_too():
    given = lesson()
    plain = distillation([Course()], **PLAIN).training_step(given, 0)["loss"]
    module = distillation([Course()], adversarial=0.15, **PLAIN)
    module._moved = lambda head, features: torch.zeros_like(features)
    both = module.training_step(given, 0)["loss"]
    scores = module.heads[0](torch.zeros_like(given.features))
    alone = module._divergence(scores, given.scores.div(2).softmax(1)).mean()
    torch.testing.assert_close(both, plain + alone)
