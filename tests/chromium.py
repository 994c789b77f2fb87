"""A headless Chromium, told what to do through a pipe (its DevTools protocol); nothing has to be installed for that."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
_PATIENCE = 30  # seconds


class Chromium:
    """One tab, which keeps what is wrong with the pages in it in ``complaints``."""

    def __init__(self, profile: Path) -> None:
        theirs, self._write = os.pipe()
        self._read, answers = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        options += [f"--user-data-dir={profile}", "--no-first-run", "--autoplay-policy=no-user-gesture-required"]
        shell = f'exec "$@" 3<&{theirs} 4>&{answers}'  # where Chromium looks for its pipes
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "-", str(PROGRAM), *options],
            pass_fds=(theirs, answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(answers)
        self._left, self._number, self._session = b"", 0, None
        self.complaints: list[str] = []
        tab = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **settings: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": settings}
        command |= {"sessionId": self._session} if self._session else {}
        os.write(self._write, json.dumps(command).encode() + b"\0")
        while (message := self._next()).get("id") != self._number:
            pass
        assert "error" not in message, message
        return message["result"]

    def open(self, url: str, width: int = 1400, height: int = 900) -> None:
        """Load a page; it is there when this returns."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self("Page.navigate", url="about:blank")  # the same page with another fragment would not be loaded
        self.complaints.clear()
        self("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def see(self, expression: str) -> Any:
        """The value of a JavaScript expression, plain data."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Go on when the expression is true."""
        begun = time.monotonic()
        while not self.see(expression):
            assert time.monotonic() - begun < _PATIENCE, f"never: {expression}"
            time.sleep(0.01)

    def press(self, key: str) -> None:
        """Press a key, of whatever has the focus."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"ArrowLeft": 37, "ArrowRight": 39, "Enter": 13, "Escape": 27, "Tab": 9}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            self("Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self("Input.insertText", text=text)

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait(_PATIENCE)
        os.close(self._write)
        os.close(self._read)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            assert select.select([self._read], [], [], _PATIENCE)[0], "Chromium does not answer"
            block = os.read(self._read, 1 << 20)
            assert block, "Chromium has ended"
            self._left += block
        line, _, self._left = self._left.partition(b"\0")
        message = json.loads(line)
        said = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(said["exceptionDetails"]))
        if message.get("method") == "Log.entryAdded":
            self.complaints.append(f"{said['entry']['text']} {said['entry'].get('url')}")
        if message.get("method") == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(said["args"]))
        if message.get("method") == "Page.javascriptDialogOpening":
            self.complaints.append(said["message"])
        return message
