"""Made-up findings of genviz.analysis.class_report; every name in them would be markup if it were not escaped."""

import pytest
from made_up import NASTY


@pytest.fixture
def facts():
    scored = {"number": 1, "label": NASTY, "score": 3.0, "probability": 0.5, "rank": 1}
    other = {"number": 2, "label": "b" + NASTY, "score": 1.0, "probability": 0.25}
    picture = {**scored, "file": "pictures/class.png", "excites": [other]}
    return {
        **dict.fromkeys(("classifier", "generator", "weights", "genviz", "layer", "examples"), NASTY),
        "class": {"number": 1, "label": NASTY},
        "weights_sha256": "0" * 64,
        "updates": 3,
        "seed": 0,
        "note": None,
        "picture": picture,
        "filters": [{**picture, "file": "pictures/filter-7.png", "filter": 7, "share": 0.25, "contribution": 1.0}],
        "folder": None,
    }


@pytest.fixture
def facts_with_folder(facts):
    real = {"file": "pictures/a b#1.png", "name": NASTY, "score": 1.0, "probability": 0.125, "similarity": 0.75}
    real["called"] = {"number": 2, "label": NASTY, "probability": 0.5}
    own = {**real, "called": {**real["called"], "number": 1}}
    facts["folder"] = {
        "folder": NASTY,
        "pictures": 1234,
        "damaged": [NASTY],
        "features": NASTY,
        "nearest": [real, own],
        "highest": [own],
        "classes": [
            {"number": 2, "label": NASTY, "nearest": 1, "share_of_nearest": 0.5, "share_of_folder": 0.125},
        ],
    }
    for entry in (facts["picture"], *facts["picture"]["excites"]):
        entry["highest_in_folder"] = 2.5
    facts["note"] = NASTY
    return facts
