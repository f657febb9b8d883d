"""A headless Chromium that is driven through chromedriver's HTTP interface (W3C WebDriver), by the standard library."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_DRIVER = ("chromedriver", "chromium.chromedriver")


def _first(names: tuple[str, ...]) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def is_there() -> bool:
    """Whether this machine has a Chromium and its driver."""
    return bool(_first(_CHROMIUM) and _first(_DRIVER))


class Browser:
    """A browser with one window; a context manager.

    Args:
      width: of the window, pixels.
      height: likewise.
      dark: whether the system's colours are dark.
    """

    def __init__(self, width: int = 1280, height: int = 900, dark: bool = False):
        self._driver = subprocess.Popen([_first(_DRIVER), "--port=0"], stdout=subprocess.PIPE, text=True)
        port = next(filter(None, (re.search(r"started successfully on port (\d+)", line) for line in self._output())))
        self._base = f"http://127.0.0.1:{port.group(1)}/session"
        # --no-sandbox: a container's root has no sandbox; only pages of the tests are opened.
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        arguments += ["--force-dark-mode"] if dark else []
        options = {"args": arguments, "binary": _first(_CHROMIUM)}
        # Windows are at least 500 pixels wide; a phone's screen is emulated.
        metrics = {"width": width, "height": height, "pixelRatio": 1, "touch": width < 500}
        options["mobileEmulation"] = {"deviceMetrics": metrics}
        wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        self._session = ""
        try:
            self._session = "/" + self._call("POST", "", {"capabilities": wanted})["sessionId"]
        except BaseException:
            self.close()
            raise

    def _output(self):
        yield from self._driver.stdout

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._base}{self._session}{path}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"].splitlines()[0]) from None

    def open(self, url: str) -> None:
        """Goes to a page."""
        self._call("POST", "/url", {"url": url})

    def find(self, selector: str) -> str:
        """The id of the first element of a CSS selector."""
        return self._call("POST", "/element", {"using": "css selector", "value": selector})[_ELEMENT]

    def click(self, selector: str) -> None:
        """Clicks the middle of an element."""
        self._call("POST", f"/element/{self.find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Types into an element; for a file field, chooses a file."""
        self._call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def run(self, script: str) -> Any:
        """What a script returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": []})

    def wait(self, condition: str, seconds: float = 60.0) -> Any:
        """Waits until a JavaScript expression is true; returns its value."""
        end = time.monotonic() + seconds
        while not (value := self.run(f"return {condition}")):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.05)
        return value

    def screenshot(self) -> bytes:
        """The window as a PNG file."""
        return base64.b64decode(self._call("GET", "/screenshot"))

    def complaints(self) -> list[str]:
        """What the console said of errors."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def close(self) -> None:
        """Ends the browser and its driver."""
        try:
            if self._session:
                self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait(30)
            self._driver.stdout.close()

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
