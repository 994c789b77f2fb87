import math

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer

from genviz.errors import UserError
from genviz.matching.words import Words

DRAW = np.random.default_rng(0)
CENTRES = DRAW.uniform(0, 255, (6, 128))


def picture(*words):
    """Descriptors near these of the six centres."""
    return CENTRES[list(words)] + DRAW.normal(0, 1, (len(words), 128))


PICTURES = [picture(0, 0, 1), picture(0, 2, 2, 3), picture(0, 4, 5), picture(0, 5, 5, 5)]
COUNTS = np.array([[2, 1, 0, 0, 0, 0], [1, 0, 2, 1, 0, 0], [1, 0, 0, 0, 1, 1], [1, 0, 0, 0, 0, 3]])


def slow(counts, has, pictures):
    """The histogram of one picture, as Réda & Xu have it."""
    terms = []
    for count, df in zip(counts, has, strict=True):
        terms.append(math.sqrt(max(count / sum(counts) * math.log(pictures / (df + 1)), 1e-4)))
    length = math.sqrt(sum(term * term for term in terms))
    return [term / length for term in terms]


def test_their_histograms_and_cosines():
    words = Words(PICTURES, 6, smooth=False)
    has = (COUNTS > 0).sum(0)
    expected = np.array([slow(row, has, 4) for row in COUNTS.tolist()])
    found = words.histograms(PICTURES)
    assert np.allclose(np.sort(words.rarity), np.sort(np.log(4 / (has + 1))))
    assert np.allclose(found @ found.T, expected @ expected.T)  # the words' order is that of k-means
    assert words.rarity.min() < 0  # of the word in every picture


def test_smooth_rarity_is_that_of_scikit_learn():
    words = Words(PICTURES, 6)
    idf = TfidfTransformer(norm=None).fit(COUNTS).idf_
    assert np.allclose(np.sort(words.rarity), np.sort(idf))


@pytest.mark.parametrize(("standardize", "chosen"), [(False, 6), (True, 6), ("words", 1)])
def test_the_words_alone_are_standardized_in_their_code(standardize, chosen):
    """Then descriptors that differ little from their mean all fall to the word with the largest sum."""
    centres = 100 + CENTRES / 50
    words = Words([np.concatenate((centres, centres))], 6, standardize=standardize)
    assert len({int(row.argmax()) for row in words.histograms(list(centres[:, None]))}) == chosen


def test_the_same_seed_the_same_words():
    first, again = (Words(PICTURES, 3, seed=1).histograms(PICTURES) for _ in range(2))
    assert (first == again).all()


@pytest.mark.parametrize(("descriptors", "count"), [([], 0), ([picture(0, 1)], 2), ([picture(0).repeat(9, 0)], 1)])
def test_fewer_descriptors_than_words(descriptors, count):
    says = (
        f"words.count=3: the pictures have {count} different SIFT descriptors, fewer than 3 words; give more pictures"
    )
    with pytest.raises(UserError, match=says):
        Words(descriptors, 3)
