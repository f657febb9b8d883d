"""A workdir: the folder of one run, with its config and what each stage left there."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import ml_collections
from absl import logging

from rgunit_tf import atomic, cluster
from rgunit_tf import config as config_module
from rgunit_tf.config import STAGES
from rgunit_tf.errors import UserError
from rgunit_tf.runs import provenance, storage

_DEFAULTS = config_module.to_plain(config_module.default_config())


class Workdir:
    """The folder of one run.

    `config.json` (the settings, and with which versions and data the run began); a folder a stage with `checkpoints/`,
    `samples/`, `logs/`, `history.csv`, `export/<version>/` and, once the stage is finished, `final/` (the averaged
    weights and how to build the model); `retrieval/gallery/`; `evaluation/`.

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
        if cluster.is_chief() and not self._file.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            made_with = {"versions": provenance.versions(), "revision": provenance.revision()}
            atomic.write_json(self._file, {"config": plain, "seed": config.train.seed, **made_with})
            return
        self._wait_for_chief()
        content = self._read()
        # A setting that was added since the run began had its default then.
        stored = {name: {**group, **content["config"].get(name, {})} for name, group in _DEFAULTS.items()}
        differences = config_module.differences({**content["config"], **stored}, plain)
        refused = [line for line in differences if not config_module.is_resumable(line.partition(":")[0])]
        if refused:
            raise UserError(
                f"{self._file} is of a run with another config ({'; '.join(refused)}); "
                "choose another --workdir, or give the same settings"
            )
        begun, now = content.get("versions", {}).get("tensorflow"), provenance.versions()["tensorflow"]
        if begun not in (None, now) and cluster.is_chief():
            logging.warning(
                "%s was begun with TensorFlow %s; with %s it goes on, but not to the bit", self.path, begun, now
            )
        if differences and cluster.is_chief():
            atomic.write_json(self._file, {**content, "config": plain})

    def claim_data(self, fingerprint: str) -> None:
        """Notes which data the run is trained on, or checks that they are still the same.

        Raises:
          UserError: they are not; a model half trained on other data would be nobody's.
        """
        content = self._read()
        known = content.get("data_fingerprint")
        if known is None and cluster.is_chief():
            atomic.write_json(self._file, {**content, "data_fingerprint": fingerprint})
        elif known not in (None, fingerprint):
            raise UserError(
                f"{self.path}: the data have changed since this run began (fingerprint {known}, now "
                f"{fingerprint}); restore them, or choose another --workdir"
            )

    @property
    def _file(self) -> pathlib.Path:
        return self.path / "config.json"

    def _wait_for_chief(self, seconds: float = 60.0) -> None:
        """Gives the worker that writes time to claim the folder."""
        end = time.monotonic() + seconds
        while not cluster.is_chief() and not self._file.exists() and time.monotonic() < end:
            time.sleep(0.2)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            config = content["config"]
        except FileNotFoundError:
            raise UserError(f"{self._file} is missing; --workdir must name the folder of a run") from None
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            config = None
        if not isinstance(config, dict) or not all(isinstance(settings, dict) for settings in config.values()):
            raise UserError(f"{self._file} is damaged; restore it or start in another --workdir")
        return content

    @property
    def config(self) -> ml_collections.ConfigDict:
        """The config of the run.

        Raises:
          UserError: there is none, or it is damaged.
        """
        config = config_module.default_config()
        for group, settings in self._read()["config"].items():
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
        if not cluster.is_chief():
            # The chief holds it for all workers.
            yield
            return
        with self.writing():
            self.path.mkdir(parents=True, exist_ok=True)
            with open(self.path / ".lock", "w", encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise UserError(
                        f"{self.path} is in use by another run; wait for it or choose another --workdir"
                    ) from None
                yield

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Clears away what killed commands left, and says in one line that the disk is full or read-only.

        Raises:
          UserError: nothing more can be written here; what was whole before still is.
        """
        try:
            atomic.clear(atomic.temporaries(self.path))
            yield
        except UserError:
            raise
        except Exception as error:
            problem = storage.problem(error, self.path)
            if problem is None:
                raise
            raise UserError(f"{problem}; the same command then goes on from what is whole") from error

    def stage(self, name: str) -> pathlib.Path:
        """Folder of a stage."""
        return self.path / name

    def finished_stages(self) -> list[str]:
        """Names of the stages that are trained to the end."""
        return [name for name in STAGES if (self.stage(name) / "final" / "stage.json").exists()]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
