import pytest
import torch
from noisy_pictures import noise

from genviz.analysis.associations import about_folder, about_picture
from genviz.analysis.feature_cache import look_through
from genviz.images.pictures import read_image
from genviz.interfaces import SCORES

CARDIGAN = 3


@pytest.fixture
def folder(tmp_path):
    for number in range(5):
        noise((12, 12), 30 * number, number).convert("RGB").save(tmp_path / f"{number}.png")
    return tmp_path


def test_a_picture_excites_its_class_and_others_in_their_order(classifier, folder):
    picture = folder / "4.png"
    scores = classifier(read_image(picture), [SCORES])[SCORES][0]
    gallery = look_through(folder, classifier)
    told = about_picture(picture, classifier, CARDIGAN, gallery)
    assert told["label"] == "cardigan"
    assert told["score"] == pytest.approx(float(scores[CARDIGAN]))
    assert told["probability"] == pytest.approx(float(scores.softmax(0)[CARDIGAN]))
    assert told["rank"] == 1 + int((scores > scores[CARDIGAN]).sum())
    assert told["highest_in_folder"] == pytest.approx(float(gallery.scores[:, CARDIGAN].max()))
    order = [number for number in scores.argsort(descending=True).tolist() if number != CARDIGAN]
    assert [entry["number"] for entry in told["excites"]] == order
    assert "highest_in_folder" not in about_picture(picture, classifier, CARDIGAN)


def test_a_picture_is_nearest_to_itself_and_the_classes_are_the_networks(classifier, folder):
    gallery = look_through(folder, classifier)
    told = about_folder(gallery, classifier, CARDIGAN, folder / "2.png", "relu1", count=3, best=["4.png", "0.png"])
    assert told["nearest"][0]["name"] == "2.png"
    assert told["nearest"][0]["similarity"] == pytest.approx(1)
    assert [entry["name"] for entry in told["highest"]] == ["4.png", "0.png"]
    for entry in (*told["nearest"], *told["highest"]):
        chances = classifier(read_image(folder / entry["name"]), [SCORES])[SCORES][0].softmax(0)
        assert entry["called"]["number"] == int(chances.argmax())
        assert entry["called"]["probability"] == pytest.approx(float(chances.max()))
        assert entry["probability"] == pytest.approx(float(chances[CARDIGAN]))
    called = torch.tensor([entry["called"]["number"] for entry in told["nearest"]])
    for entry in told["classes"]:
        assert entry["nearest"] == int((called == entry["number"]).sum())
        assert entry["share_of_folder"] == pytest.approx(
            float((gallery.scores.argmax(1) == entry["number"]).float().mean())
        )
    assert sum(entry["nearest"] for entry in told["classes"]) == 3
