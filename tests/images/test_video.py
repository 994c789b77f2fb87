import shutil

import av
import pytest
import torch

from genviz.images.video import Video, frames


def decoded(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(("height", "width"), [(16, 32), (17, 33)])
def test_each_frame_is_in_the_video(tmp_path, height, width):
    video = Video(tmp_path / "deep" / "v.mp4", height, width)
    for grey in (0, 100, 200):
        video.add(torch.full((height, width, 3), grey, dtype=torch.uint8))
    video.close()
    video.close()
    found = decoded(tmp_path / "deep" / "v.mp4")
    assert [frame.shape for frame in found] == [(16, 32, 3)] * 3
    assert [round(frame.mean() / 100) for frame in found] == [0, 1, 2]


def test_what_is_there_can_be_played_before_the_end(tmp_path):
    video = Video(tmp_path / "v.mp4", 64, 64)
    torch.manual_seed(0)
    for _ in range(20):
        video.add(torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8))
    shutil.copy(tmp_path / "v.mp4", tmp_path / "killed.mp4")
    video.close()
    assert len(decoded(tmp_path / "killed.mp4")) >= 10


@pytest.mark.parametrize(("height", "width", "size"), [(4, 17920, (16384, 2)), (32768, 16, (8, 16384))])
def test_what_x264_does_not_take_is_shrunk(tmp_path, capsys, height, width, size):
    path = tmp_path / "a.mp4"
    video = Video(path, height, width)
    video.add(torch.zeros(height, width, 3, dtype=torch.uint8))
    video.close()
    with av.open(str(path)) as made:
        assert (made.streams.video[0].width, made.streams.video[0].height) == size
    assert frames(path) == 1
    assert "is shrunk" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["too small", "a folder", "no PyAV"])
def test_one_that_cannot_be_written_is_given_up(tmp_path, capsys, monkeypatch, place):
    path = tmp_path / "a.mp4"
    if place == "no PyAV":
        monkeypatch.setattr("genviz.images.video.av", None)
    if place == "a folder":
        path.mkdir()
    video = Video(path, 1 if place == "too small" else 16, 16)
    video.add(torch.zeros(16, 16, 3, dtype=torch.uint8))
    video.close()
    assert capsys.readouterr().err.count("the run goes on without") == 1
    assert frames(path) is None
