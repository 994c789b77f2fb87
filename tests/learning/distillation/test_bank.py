import itertools

import pytest
import torch

from genviz.errors import UserError
from genviz.learning.distillation.bank import Bank, Epochs
from genviz.learning.distillation.lessons import Lesson


def lesson(number, side=2, count=4):
    torch.manual_seed(number)
    return Lesson(torch.rand(count, 3, side, side), torch.rand(count, 5))


def filled(root, files=3, **identity):
    bank = Bank(root, {"trunk": "a", **identity}, files)
    for number in range(files):
        bank.write(number, lesson(number, side=2 + number % 2))
    return bank


def test_a_bank_gives_back_what_was_put_in_in_half_precision(tmp_path):
    bank = filled(tmp_path)
    bank.open()
    assert len(bank) == 12
    assert bank.groups() == [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7]]
    taken = bank[[9, 0]]
    assert torch.equal(taken.features, torch.stack([lesson(2).features[1], lesson(0).features[0]]).half())
    assert torch.equal(taken.scores, torch.stack([lesson(2).scores[1], lesson(0).scores[0]]).half())


def test_what_is_there_is_known_and_what_is_missing_or_damaged_is_to_be_made(tmp_path):
    bank = filled(tmp_path, files=5)
    bank.path(1).unlink()
    for number, place in ((2, 40), (3, -3)):  # in what the file says of itself, and in its numbers
        content = bytearray(bank.path(number).read_bytes())
        content[place] ^= 1
        bank.path(number).write_bytes(content)
    bank.path(4).write_bytes(bank.path(4).read_bytes()[:-1])
    assert list(Bank(tmp_path, {"trunk": "a"}, 6).missing()) == [None, 1, 2, 3, 4, 5]


def test_banks_of_other_settings_have_other_folders_and_take_no_foreign_file(tmp_path):
    bank, other = filled(tmp_path), Bank(tmp_path, {"trunk": "b"}, 3)
    assert other.folder != bank.folder
    other.folder.mkdir()
    for number in range(3):
        bank.path(number).rename(other.path(number))
    assert list(other.missing()) == [0, 1, 2]


def test_more_files_are_the_same_bank(tmp_path):
    bank = filled(tmp_path)
    assert list(Bank(tmp_path, {"trunk": "a"}, 4).missing()) == [None, None, None, 3]
    assert Bank(tmp_path, {"trunk": "a"}, 4).folder == bank.folder


def test_numbers_that_half_precision_has_not_are_one_line(tmp_path):
    bank = Bank(tmp_path, {}, 1)
    with pytest.raises(UserError, match="features of some crops are not finite in half precision"):
        bank.write(0, Lesson(torch.full((1, 3, 2, 2), 1e6), torch.rand(1, 5)))
    assert not list(tmp_path.iterdir())


def epochs(first=0, seed=0):
    return Epochs([list(range(10)), list(range(10, 16))], 4, seed, first)


def test_an_epoch_has_each_crop_once_in_batches_of_one_size():
    batches = list(itertools.islice(epochs(), 3))
    assert sorted(len(batch) for batch in batches) == [4, 4, 4]
    crops = list(itertools.chain(*batches))
    assert len(set(crops)) == 12  # what is left of each size waits
    assert all(len({crop < 10 for crop in batch}) == 1 for batch in batches)
    assert batches != list(itertools.islice(epochs(), 3, 6))
    assert batches != list(itertools.islice(epochs(seed=1), 3))


@pytest.mark.parametrize("first", [1, 3, 7])
def test_it_goes_on_where_it_stopped(first):
    assert list(itertools.islice(epochs(first), 8)) == list(itertools.islice(epochs(), first, first + 8))


def test_fewer_crops_than_a_batch_are_one():
    assert sorted(next(iter(Epochs([[1, 2, 3]], 4, 0)))) == [1, 2, 3]
