"""A short video that can be played at any time while it is written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm.auto import tqdm

from genviz.files import check_file

av: Any
try:
    import av
except ImportError:  # pictures do without a video
    av = None

_FRAMES_PER_SECOND = 10
_LARGEST = 16384  # pixels a side that x264 takes
_FAILURES = (OSError, ValueError, MemoryError, *(() if av is None else (av.error.FFmpegError,)))


class Video:
    """A fragmented MP4 (H.264): each frame is written to disk at once and can be played from there.

    Frames with a side beyond 16,384 pixels are shrunk. A video that cannot be written is given up, and said.

    Args:
        path: the file, overwritten.
        height, width: of the frames, in pixels; an odd side loses its last row or column.
    """

    def __init__(self, path: Path, height: int, width: int) -> None:
        self.path, self.height, self.width = path, height - height % 2, width - width % 2
        scale = min(1.0, _LARGEST / max(height, width, 1))
        self._size = [int(side * scale) // 2 * 2 for side in (self.width, self.height)]
        if scale < 1:
            tqdm.write(f"{path} is shrunk from {width} x {height} pixels, as x264 takes no more", file=sys.stderr)
        self._container: Any = None
        try:
            self._container, self._stream = self._open()
        except _FAILURES as error:
            self._give_up(error)

    def add(self, pixels: Tensor) -> None:
        """Append one frame, bytes (h, w, 3)."""
        if self._container is None:
            return
        try:
            frame = av.VideoFrame.from_ndarray(pixels[: self.height, : self.width].contiguous().numpy(), format="rgb24")
            if self._size != [self.width, self.height]:
                frame = frame.reformat(width=self._size[0], height=self._size[1], interpolation="AREA")
            self._container.mux(self._stream.encode(frame))
        except _FAILURES as error:
            self._give_up(error)

    def close(self) -> None:
        """Write the remaining data; safe to call twice."""
        try:
            if self._container is not None:
                self._container.mux(self._stream.encode(None))
                self._container.close()
        except _FAILURES as error:
            self._give_up(error)
        self._container = None

    def _open(self) -> tuple[Any, Any]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if av is None:
            raise ValueError("PyAV is not installed: pip install av")
        if min(self._size) < 2:
            raise ValueError(f"a frame of {self.width} x {self.height} pixels is too small")
        options = {"movflags": "frag_every_frame+empty_moov+default_base_moof", "flush_packets": "1"}
        container = av.open(str(self.path), "w", format="mp4", options=options)
        stream = container.add_stream("libx264", rate=_FRAMES_PER_SECOND)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast", "tune": "zerolatency", "threads": "1"}
        return container, stream

    def _give_up(self, error: Exception) -> None:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        tqdm.write(f"{self.path} is not written ({why}); the run goes on without it", file=sys.stderr)
        self._container = None


def can_read() -> bool:
    """Whether videos can be read and written here."""
    return av is not None


def frames(path: Path) -> int | None:
    """How many frames the video has, in whole or in part; None if it cannot be read."""
    if av is None:
        return None
    try:
        with av.open(str(check_file(path))) as container:
            return sum(packet.size > 0 for packet in container.demux(video=0))
    except (*_FAILURES, IndexError):
        return None
