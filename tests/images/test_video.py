import shutil

import av
import pytest
import torch

from genviz.images.video import Video


def frames(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(("height", "width"), [(16, 32), (17, 33)])
def test_each_frame_is_in_the_video(tmp_path, height, width):
    video = Video(tmp_path / "deep" / "v.mp4", height, width)
    for grey in (0, 100, 200):
        video.add(torch.full((height, width, 3), grey, dtype=torch.uint8))
    video.close()
    video.close()
    found = frames(tmp_path / "deep" / "v.mp4")
    assert [frame.shape for frame in found] == [(16, 32, 3)] * 3
    assert [round(frame.mean() / 100) for frame in found] == [0, 1, 2]


def test_what_is_there_can_be_played_before_the_end(tmp_path):
    video = Video(tmp_path / "v.mp4", 64, 64)
    torch.manual_seed(0)
    for _ in range(20):
        video.add(torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8))
    shutil.copy(tmp_path / "v.mp4", tmp_path / "killed.mp4")
    video.close()
    assert len(frames(tmp_path / "killed.mp4")) >= 10
