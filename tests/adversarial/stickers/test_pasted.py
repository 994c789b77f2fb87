import torch
from conftest import LABELS, TinyClassifier

from genviz.adversarial.stickers.pasted import Judge, Pasting, counted, measured
from genviz.adversarial.stickers.printing import shaped
from genviz.coupling import Coupling
from genviz.generators.patch import Patch
from genviz.interfaces import SCORES
from genviz.objectives.probability import LogProbability
from genviz.targets.grammar import parse_target
from genviz.transforms.placed import Placed

SETTINGS = {"shape": "circle", "views": 3, "rotate": 20.0, "light": 0.1, "sizes": [0.5, 1.5], "place": "random"}


def scenes():
    torch.manual_seed(0)
    return torch.randint(0, 256, (40, 3, 12, 12), dtype=torch.uint8)


def test_the_pictures_are_as_they_would_be_written_and_the_places_do_not_depend_on_the_sticker():
    pasting = Pasting(scenes(), SETTINGS, seed=3)
    changed = []
    for level in (0.0, 1.0):
        images = torch.cat(list(pasting.pictures(shaped(torch.full((1, 3, 9, 9), level), "circle", 50), 0.2)))
        torch.testing.assert_close((255 * images).round(), 255 * images)
        changed.append(((images - pasting.scenes / 255).abs() > 0.02).any(1))
    assert (changed[0] == changed[1]).float().mean() > 0.95
    assert 0.15 < changed[0].float().mean() < 0.35  # and its rim
    again = torch.cat(list(Pasting(scenes(), SETTINGS, 3).pictures(shaped(torch.ones(1, 3, 9, 9), "circle", 50), 0.2)))
    assert torch.equal(again, images)


class Bright(TinyClassifier):
    """Sees class 1 in pictures that are brighter than the mean of noise, class 0 in the others."""

    def forward(self, images, layers):
        level = images.mean((1, 2, 3))
        return {SCORES: torch.stack([0.5 - level, level - 0.5, *[torch.full_like(level, -9.0)] * 4], 1)}


def test_success_is_counted_among_the_pictures_that_are_not_of_the_class_already():
    classifier, pasting = Bright(), Pasting(scenes(), SETTINGS, seed=0)
    before = classifier(pasting.scenes / 255, [SCORES])[SCORES].argmax(1)
    judges = [Judge("light", classifier, 1), Judge("dark", classifier, 0)]
    sticker = shaped(torch.ones(1, 3, 9, 9), "circle", 9)  # white
    rows, count = measured(pasting, {"sticker": sticker}, [0.02, 0.4], judges)
    dark = int((before == 0).sum())
    assert 0 < dark < 40
    for judge, own in zip(judges, count, strict=True):
        assert torch.equal(own, before != judge.wanted)
        assert torch.equal(counted(judge, pasting.scenes), own)
    assert [(row.network, row.area) for row in rows] == [("light", 0.02), ("dark", 0.02), ("light", 0.4), ("dark", 0.4)]
    for row in rows:
        judge = judges[row.network == "dark"]
        after = classifier(torch.cat(list(pasting.pictures(sticker, row.area))), [SCORES])[SCORES].argmax(1)
        own = before != judge.wanted
        assert row.success == (int((after[own] == judge.wanted).sum()), int(own.sum()))
    assert 0 < rows[0].success.reached < dark
    assert rows[2].success == (dark, dark)  # white on 40 % of the area makes all of them light
    assert rows[3].success == (0, 40 - dark)


def test_away_from_a_class_what_no_longer_sees_it_counts():
    judge = Judge("tiny", TinyClassifier(), 1, away=True)
    scores = torch.tensor([[0.0, 3.0, 1.0], [0.0, 3.0, 4.0]])
    assert judge.is_reached(scores).tolist() == [False, True]
    assert judge._replace(away=False).is_reached(scores).tolist() == [True, False]


def test_classes_that_do_not_compete_are_seen_where_they_are_more_likely_than_not():
    classifier = TinyClassifier()
    classifier.independent = True
    scores = torch.tensor([[9.0, 0.1, 1.0], [-9.0, -0.1, -4.0]])
    assert Judge("tiny", classifier, 1).is_reached(scores).tolist() == [True, False]
    assert Judge("tiny", classifier, 1, away=True).is_reached(scores).tolist() == [False, True]


def test_what_was_learned_on_some_pictures_works_on_others():
    """A tiny network, whose scores move little."""
    classifier, pictures = TinyClassifier(), scenes()
    wanted = int(classifier(pictures / 255, [SCORES])[SCORES].mean(0).argmin())
    target = parse_target(f"class:{wanted}", LABELS, classifier.outline.layers)
    coupling = Coupling(
        generator=Patch(size=12, shape="square"),
        classifier=classifier,
        objective=LogProbability(target),
        target=target,
        optimizer=lambda parameters: torch.optim.Adam(parameters, 0.05),
        transforms=[Placed(pictures=pictures[::2] / 255, shape="square", views=8, area=0.5)],
    )
    pasting, judge = Pasting(pictures[1::2], {"shape": "square"}, seed=1), Judge("tiny", classifier, wanted)

    def chance():
        shown = shaped(coupling.settled(), "square", 12)
        scores = classifier(torch.cat(list(pasting.pictures(shown, 0.5))), [SCORES])[SCORES]
        return scores.softmax(1)[:, judge.wanted].mean()

    first, optimizer = chance(), coupling.configure_optimizers()
    for _ in range(40):
        optimizer.zero_grad()
        coupling()[0].backward()
        optimizer.step()
        coupling.generator.constrain()
    assert chance() > 1.02 * first
