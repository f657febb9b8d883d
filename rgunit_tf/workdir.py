"""A workdir: the folder of one run, with its config and what each stage left there."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import ml_collections

from rgunit_tf import atomic
from rgunit_tf import config as config_module
from rgunit_tf.errors import UserError

if TYPE_CHECKING:
    from rgunit_tf.data.split import Dataset
    from rgunit_tf.retrieval.gallery import Gallery

STAGES = ("translation", "retrieval", "guided")
"""In the order in which they are trained; each needs the ones before it."""


class Workdir:
    """The folder of one run.

    `config.json`; a folder a stage with `checkpoints/`, `samples/`, `logs/`, `history.csv`, `export/<version>/` and,
    once the stage is finished, `final/` (the averaged weights and how to build the model); `retrieval/gallery/`;
    `evaluation/`.

    Args:
      path: the folder; it need not exist yet.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = pathlib.Path(path)

    def claim(self, config: ml_collections.ConfigDict) -> None:
        """Makes the folder this config's, or checks that it is.

        Raises:
          UserError: the folder holds a run with another config; the message lists the differences.
        """
        plain = config_module.to_plain(config)
        file = self.path / "config.json"
        if not file.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            atomic.write_json(file, {"config": plain})
            return
        differences = config_module.differences(self._read(), plain)
        if differences:
            raise UserError(
                f"{file} is of a run with another config ({'; '.join(differences)}); "
                "choose another --workdir, or give the same settings"
            )

    def _read(self) -> dict[str, dict[str, Any]]:
        file = self.path / "config.json"
        try:
            config = json.loads(file.read_text(encoding="utf-8"))["config"]
        except FileNotFoundError:
            raise UserError(f"{file} is missing; --workdir must name the folder of a run") from None
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            config = None
        if not isinstance(config, dict) or not all(isinstance(settings, dict) for settings in config.values()):
            raise UserError(f"{file} is damaged; restore it or start in another --workdir")
        return config

    @property
    def config(self) -> ml_collections.ConfigDict:
        """The config of the run.

        Raises:
          UserError: there is none, or it is damaged.
        """
        config = config_module.default_config()
        for group, settings in self._read().items():
            for name, value in settings.items():
                known = config_module.SETTINGS.get(group, {}).get(name)
                try:
                    config[group][name] = _tuples(value) if isinstance(known.default, tuple) else value
                except (AttributeError, KeyError, TypeError):
                    raise UserError(
                        f"{self.path / 'config.json'}: {group}.{name}={value!r} is no setting of this version; "
                        "use the version that made the run"
                    ) from None
        return config

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Held while a command writes here; a crash leaves it free.

        Raises:
          UserError: another command holds it.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"--workdir={self.path} is a file; name a folder")
        self.path.mkdir(parents=True, exist_ok=True)
        with open(self.path / ".lock", "w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"{self.path} is in use by another run; wait for it or choose another --workdir"
                ) from None
            yield

    def stage(self, name: str) -> pathlib.Path:
        """Folder of a stage."""
        return self.path / name

    def finished_stages(self) -> list[str]:
        """Names of the stages that are trained to the end."""
        return [name for name in STAGES if (self.stage(name) / "final" / "stage.json").exists()]

    def dataset(self) -> Dataset:
        """The data the config describes."""
        from rgunit_tf import data

        return data.from_config(self.config.data)

    def gallery(self) -> Gallery:
        """The gallery of the finished retrieval stage."""
        from rgunit_tf.retrieval.gallery import Gallery

        return Gallery.load(self.stage("retrieval") / "gallery")

    def load_stage(self, name: str) -> Any:
        """The model of a finished stage, with its averaged weights.

        Raises:
          UserError: the stage is not finished, or its files are damaged.
        """
        from rgunit_tf.stages import saving

        return saving.load(self, name)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
