import random
import threading

import pytest
import torch

from genviz.errors import UserError
from genviz.training.checkpoint import (
    FORMAT,
    KEY,
    AtomicCheckpointIO,
    check_identity,
    read_checkpoint,
    restore_rng_states,
    rng_states,
)
from genviz.training.writers import Writers


def ours(**more):
    mine = {"format": FORMAT, "identity": {"seed": "0"}, "rng": {}, "seconds": 0.0, "wandb_run_id": None, **more}
    state = {"state_dict": {"generator.values": torch.zeros(1)}, "optimizer_states": [{"state": {}}]}
    return {**state, "loops": {}, "global_step": 0, KEY: mine}


def test_what_was_saved_is_read_back(tmp_path):
    AtomicCheckpointIO().save_checkpoint(ours(rng=rng_states()), tmp_path / "last.ckpt")
    assert read_checkpoint(tmp_path / "last.ckpt")[KEY]["identity"] == {"seed": "0"}
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_every_generator_of_random_numbers_is_restored(tmp_path):
    AtomicCheckpointIO().save_checkpoint(ours(rng=rng_states()), tmp_path / "last.ckpt")
    drawn = random.random(), torch.rand(3)
    restore_rng_states(read_checkpoint(tmp_path / "last.ckpt")[KEY]["rng"])
    assert random.random() == drawn[0]
    assert torch.equal(torch.rand(3), drawn[1])


def test_a_run_goes_on_where_there_are_fewer_cards(monkeypatch):
    restored = {}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, card: restored.update({card: state}))
    restore_rng_states(rng_states() | {"cuda": ["the first card's", "the second's"]})
    assert restored == {0: "the first card's"}


class Harmful:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the file ran code')",))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no checkpoint"),
        lambda path: torch.save(Harmful(), path),
        lambda path: torch.save({"state_dict": {}}, path),
        lambda path: torch.save([1], path),
        lambda path: torch.save({"state_dict": {}, KEY: {"format": 999}}, path),
        lambda path: torch.save({**ours(), KEY: {"format": FORMAT}}, path),
    ],
)
def test_a_damaged_or_foreign_file_is_one_line_and_stays(tmp_path, write):
    path = tmp_path / "last.ckpt"
    write(path)
    before = path.read_bytes()
    with pytest.raises(UserError, match="resume=false") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_truncated_file_is_damaged(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save(ours(weights=torch.rand(1000)), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UserError, match="damaged"):
        read_checkpoint(path)


def test_a_flipped_bit_is_damage(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save(ours(weights=torch.zeros(100_000)), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        read_checkpoint(path)


def test_other_settings_are_named(tmp_path):
    check_identity(tmp_path, {"seed": "0"}, ours())
    with pytest.raises(UserError, match="seed was 0 and is 1.*resume=false"):
        check_identity(tmp_path, {"seed": "1"}, ours())
    with pytest.raises(UserError, match="optimizer.lr was None and is 1"):
        check_identity(tmp_path, {"seed": "0", "optimizer.lr": "1"}, ours())


def test_what_an_earlier_version_did_not_record_is_no_difference(tmp_path):
    new = {"seed": "0", "target.classes": "7"}
    check_identity(tmp_path, new, ours())
    with pytest.raises(UserError, match="target.classes was 8 and is 7"):
        check_identity(tmp_path, new, ours(identity={"seed": "0", "target.classes": "8"}))


def test_a_setting_that_is_null_is_as_one_that_an_earlier_version_did_not_have(tmp_path):
    made = {"objective.inversion.window": "5"}
    check_identity(tmp_path, {**made, "objective.inversion.mask": "None"}, {KEY: {"identity": made}})
    with pytest.raises(UserError, match="window was 5 and is None"):
        check_identity(tmp_path, {"objective.inversion.window": "None"}, {KEY: {"identity": made}})
    with pytest.raises(UserError, match="mask was None and is a.png"):
        check_identity(tmp_path, {**made, "objective.inversion.mask": "a.png"}, {KEY: {"identity": made}})


def test_a_run_from_before_displays_were_recorded_has_any(tmp_path):
    stretched = {"seed": "0", "display": "stretch"}
    check_identity(tmp_path, stretched, ours())
    with pytest.raises(UserError, match="display was rgb and is stretch"):
        check_identity(tmp_path, stretched, ours(identity={"seed": "0", "display": "rgb"}))


@pytest.mark.parametrize(
    ("own", "usual"),
    [
        ({"lr_end": "0.1", "updates": "4"}, "1.0"),
        ({"median": "3", "snapshot_every": "5"}, "1"),
        ({"lr_rise": "5"}, "0"),
        ({"images": "2"}, "1"),
    ],
)
def test_a_setting_that_was_left_out_had_its_usual_value(tmp_path, own, usual):
    """And one that only goes with it is not named: the user has not changed it."""
    plain, more = {"seed": "0"}, {"seed": "0", **own}
    name, value = next(iter(own.items()))
    with pytest.raises(UserError, match=rf"settings \({name} was {value} and is {usual}\)"):
        check_identity(tmp_path, plain, ours(identity=more))
    with pytest.raises(UserError, match=rf"settings \({name} was {usual} and is {value}\)"):
        check_identity(tmp_path, more, ours())


def test_more_updates_of_a_rate_that_falls_are_named(tmp_path):
    made = {"seed": "0", "lr_end": "0.1", "updates": "4"}
    with pytest.raises(UserError, match=r"\(updates was 4 and is 8\)"):
        check_identity(tmp_path, {**made, "updates": "8"}, ours(identity=made))
    with pytest.raises(UserError, match=r"\(lr_end was 0.1 and is 0.2, updates was 4 and is 8\)"):
        check_identity(tmp_path, {**made, "lr_end": "0.2", "updates": "8"}, ours(identity=made))


def test_a_checkpoint_is_there_after_the_pictures_that_it_goes_with(tmp_path):
    writers, gate, written = Writers(), threading.Event(), []
    writers.start()
    writers.write(0, lambda: gate.wait(10) and written.append((tmp_path / "last.ckpt").exists()))
    threading.Timer(0.1, gate.set).start()
    AtomicCheckpointIO(writers).save_checkpoint(ours(), tmp_path / "last.ckpt")
    assert written == [False]
    assert (tmp_path / "last.ckpt").exists()
    writers.close()
