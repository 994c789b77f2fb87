"""A short video that can be played at any time while it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
from torch import Tensor

_FRAMES_PER_SECOND = 10


class Video:
    """A fragmented MP4 (H.264): each frame is written to disk at once and can be played from there.

    Args:
        path: the file, overwritten.
        height, width: of the frames, in pixels; an odd side loses its last row or column.
    """

    def __init__(self, path: Path, height: int, width: int) -> None:
        self.height, self.width = height - height % 2, width - width % 2
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container: Any = av.open(
            str(path), "w", options={"movflags": "frag_every_frame+empty_moov+default_base_moof", "flush_packets": "1"}
        )
        self._stream = self._container.add_stream("libx264", rate=_FRAMES_PER_SECOND)
        self._stream.width, self._stream.height, self._stream.pix_fmt = self.width, self.height, "yuv420p"
        self._stream.options = {"crf": "18", "tune": "zerolatency", "threads": "1"}

    def add(self, pixels: Tensor) -> None:
        """Append one frame, bytes (h, w, 3)."""
        frame = av.VideoFrame.from_ndarray(pixels[: self.height, : self.width].contiguous().numpy(), format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write the remaining data; safe to call twice."""
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        self._container = None
