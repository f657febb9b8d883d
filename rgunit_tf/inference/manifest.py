"""What an output folder holds and what it was made from, so that a command can go on where it was ended.

`manifest.jsonl`, a line an event, only ever added to: `started` before files of a picture are written, `done` after.
A file that exists without either was not made by the command, and is never written over.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from rgunit_tf import atomic
from rgunit_tf.errors import UserError

NAME = "manifest.jsonl"


class Manifest:
    """The manifest of an output folder.

    Args:
      folder: need not exist yet.
      settings: what results depend on beside their pictures, JSON-ready.

    Raises:
      UserError: `folder` is a file.
    """

    def __init__(self, folder: str | os.PathLike, settings: dict[str, Any]):
        self.folder, self.settings = pathlib.Path(folder).expanduser(), settings
        self.file = self.folder / NAME
        text = json.dumps(settings, sort_keys=True)
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._done: dict[str, dict[str, Any]] = {}
        self._own: set[str] = set()
        self._known_settings: set[str] = set()
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"--output={folder} is a file; name a folder")
        self._read()

    def is_done(self, name: str, source: pathlib.Path) -> bool:
        """Whether a picture's results are whole, of these settings and of the picture as it is now."""
        record = self._done.get(name)
        if record is None or record["settings"] != self.fingerprint or record["source"] != _state_of(source):
            return False
        return all((self.folder / output).exists() for output in record["outputs"])

    def was_done_otherwise(self, name: str) -> bool:
        """Whether a picture has results of other settings, which are going to be replaced."""
        return name in self._done and self._done[name]["settings"] != self.fingerprint

    def facts(self, name: str) -> dict[str, Any]:
        """What `done` was told about a picture."""
        return self._done[name]["facts"]

    def check_free(self, outputs: Sequence[str]) -> None:
        """Checks that writing `outputs` destroys nothing that the command has not made.

        Raises:
          UserError: one exists and is not of the command's making.
        """
        for output in outputs:
            if output not in self._own and os.path.lexists(self.folder / output):
                raise UserError(
                    f"{self.folder / output} is there already and was not made by this command; choose another --output"
                )

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Makes the folder and holds it for this process.

        Raises:
          UserError: another command writes there, or nothing (more) can be written there.
        """
        try:
            with self._open():
                yield
        except OSError as error:
            raise UserError(
                f"--output={self.folder}: {error.strerror or error}; make room or choose another folder, what is "
                "finished is kept"
            ) from error

    @contextlib.contextmanager
    def _open(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.file, "a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"--output={self.folder} is in use by another command; wait for it or choose another"
                ) from None
            self._stream = file
            # What another command wrote since, or left half-written when it was killed.
            self._read()
            for folder in {self.folder, *((self.folder / output).parent for output in self._own)}:
                atomic.clear(folder.glob(".partial-*"))
            if self._torn:
                file.write("\n")
            if self.fingerprint not in self._known_settings:
                self._add({"settings": self.fingerprint, "are": self.settings})
            yield

    def started(self, outputs: Sequence[str]) -> None:
        """To be called before files are written."""
        self._add({"started": list(outputs)})
        self._own.update(outputs)

    def done(self, name: str, source: pathlib.Path, outputs: Sequence[str], facts: dict[str, Any]) -> None:
        """To be called once the files of a picture are written.

        Args:
          name: of the picture.
          source: the picture's file.
          outputs: relative paths.
          facts: what else is to be kept, JSON-ready.
        """
        record = {
            "done": name,
            "settings": self.fingerprint,
            "source": _state_of(source),
            "outputs": list(outputs),
            "facts": facts,
        }
        self._add(record)
        self._done[name] = record

    def _read(self) -> None:
        try:
            text = self.file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            text = ""
        # A command that was killed may leave half a line.
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if "settings" in event and "are" in event:
                self._known_settings.add(event["settings"])
            elif "started" in event:
                self._own.update(event["started"])
            elif "done" in event:
                self._done[event["done"]] = event
                self._own.update(event["outputs"])

    def _add(self, event: dict[str, Any]) -> None:
        self._stream.write(json.dumps(event, sort_keys=True) + "\n")
        self._stream.flush()


def _state_of(source: pathlib.Path) -> list[int] | None:
    """Size and time of change; None where the file cannot be looked at."""
    try:
        stat = source.stat()
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns]
