from genviz.targets.wordnet import synsets


def test_there_are_a_thousand_each_with_its_number_and_words():
    known = synsets()
    assert len({synset.number for synset in known}) == len(known) == 1000
    assert known[437] == ("n02814860", ("beacon", "lighthouse", "beacon light", "pharos"))
    assert list(known) == sorted(known)  # the order of the scores
    assert all(word == word.strip() != "" for synset in known for word in synset.words)
