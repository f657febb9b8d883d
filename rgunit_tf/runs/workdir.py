"""A workdir: the folder of one run, with its config and what each stage left there."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any

import ml_collections
from absl import logging

from rgunit_tf import atomic, cluster
from rgunit_tf import config as config_module
from rgunit_tf.config import STAGES, Difference
from rgunit_tf.errors import UserError
from rgunit_tf.runs import provenance, storage

_PLACES = ("root", "retrieval_source", "missing")
"""Settings of `data` that say where the data lie: the fingerprint tells whether they are the same."""

_RESTING = ("batch_size", "learning_rate", "learning_rate_warmup", "final_learning_rate", "discriminator_rate")
"""Settings of a finished stage that may change where it is trained on."""

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

    def check(self, config: ml_collections.ConfigDict) -> None:
        """Checks that `claim` will take this config, before any data are read.

        Raises:
          UserError: the folder holds a run with another config; the message lists the differences.
        """
        if self._file.exists():
            content = self._read()
            if self._has_begun(content):
                self._changes(content, config_module.to_plain(config))

    def claim(self, config: ml_collections.ConfigDict, fingerprint: str | None = None, origin: str = "") -> None:
        """Makes the folder this config's, or checks that it is; one in which nothing was trained yet is made anew.

        What may change in a run: settings without effect on a result; where the data lie; those of a stage that was not
        begun; more steps of the last stage that was, and with them, once its steps are all done, what `_RESTING` names.

        Args:
          config: with which the run is to go on.
          fingerprint: of its data, once they are read.
          origin: the run whose weights the stages start from, where they do.

        Raises:
          UserError: the folder holds a run with another config, on other data or from another origin.
        """
        plain = config_module.to_plain(config)
        content = self._read() if self._file.exists() else None
        if cluster.is_chief() and (content is None or not self._has_begun(content)):
            self.path.mkdir(parents=True, exist_ok=True)
            facts = {"versions": provenance.versions(), "revision": provenance.revision()}
            facts |= {"data_fingerprint": fingerprint} if fingerprint else {}
            facts |= {"init_from": origin} if origin else {}
            atomic.write_json(self._file, {"config": plain, "seed": config.train.seed, **facts})
            return
        self._wait_for_chief(fingerprint)
        content = self._read()
        changes = self._changes(content, plain)
        if fingerprint is not None:
            self.claim_data(fingerprint)
            content = self._read()
        elif any(change.group == "data" and change.name in _PLACES for change in changes):
            raise UserError(f"{self._file}: {changes[0]}; the data have to be read before their place may change")
        if origin and content.get("init_from", "") != origin:
            begun_from = f"from {content['init_from']}" if "init_from" in content else "without"
            raise UserError(f"--init_from={origin}: {self.path} was begun {begun_from}; choose another --workdir")
        begun, now = content.get("versions", {}).get("tensorflow"), provenance.versions()["tensorflow"]
        if begun not in (None, now) and cluster.is_chief():
            logging.warning(
                "%s was begun with TensorFlow %s; with %s it goes on, but not to the bit", self.path, begun, now
            )
        if changes and cluster.is_chief():
            logging.info("%s: %s", self.path, "; ".join(f"{it.group}.{it.name} is {it.right} now" for it in changes))
            atomic.write_json(self._file, {**content, "config": plain})

    @property
    def origin(self) -> str:
        """The run whose weights the stages of this one start from; empty where they start from none."""
        return self._read().get("init_from", "")

    def has_moved(self, config: ml_collections.ConfigDict) -> bool:
        """Whether the config names another place of the data than the run's."""
        if not self._file.exists():
            return False
        stored = {**_DEFAULTS["data"], **self._read()["config"].get("data", {})}
        return any(not _same_place(stored[name], config.data[name]) for name in _PLACES)

    def _has_begun(self, content: dict[str, Any]) -> bool:
        """Whether anything was trained here, or data were found to train on."""
        return "data_fingerprint" in content or any(self.stage(name).exists() for name in STAGES)

    def stage_has_begun(self, name: str) -> bool:
        """Whether a stage is finished or has a checkpoint."""
        return name in self.finished_stages() or any((self.stage(name) / "checkpoints").glob("step-*.index"))

    def _changes(self, content: dict[str, Any], plain: dict[str, Any]) -> list[Difference]:
        """The settings that differ from those of the run, all of which may.

        Raises:
          UserError: one may not.
        """
        # A setting that was added since the run began had its default then.
        stored = {name: {**group, **content["config"].get(name, {})} for name, group in _DEFAULTS.items()}
        found = [
            it
            for it in config_module.differences({**content["config"], **stored}, plain)
            if it.group != "data" or it.name not in _PLACES or not _same_place(it.left, it.right)
        ]
        longer = {it.group for it in found if it.group in STAGES and it.name == "steps" and it.right > it.left}
        refused = [it for it in found if not self._may_change(it, longer)]
        if refused:
            raise UserError(
                f"{self._file} is of a run with another config ({'; '.join(map(str, refused))}); "
                "choose another --workdir, or give the same settings"
            )
        for name in longer:
            later = [stage for stage in STAGES[STAGES.index(name) + 1 :] if self.stage_has_begun(stage)]
            if later:
                raise UserError(
                    f"{name}.steps: {' and '.join(later)} of {self.path} was trained from the {name} stage as it is; "
                    f"delete {' and '.join(str(self.stage(stage)) for stage in later)} to train {name} on"
                )
        return found

    def _may_change(self, change: Difference, longer: set[str]) -> bool:
        group, name = change.group, change.name
        if group == "data" and name in _PLACES:
            return True
        if group not in STAGES or config_module.is_resumable(group, name):
            return config_module.is_resumable(group, name)
        if not self.stage_has_begun(group):
            return True
        return group in longer and (name == "steps" or (name in _RESTING and group in self.finished_stages()))

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

    def _wait_for_chief(self, fingerprint: str | None = None, seconds: float = 600.0) -> None:
        """Gives the worker that writes time to claim the folder, and where data are claimed with it, to read them."""
        end = time.monotonic() + seconds
        while not cluster.is_chief() and time.monotonic() < end:
            if self._file.exists() and (fingerprint is None or "data_fingerprint" in self._read()):
                return
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
        compiled = config.get("train", {}).get("jit_compile")
        if isinstance(compiled, bool):  # of a run by a version that knew no auto
            config["train"]["jit_compile"] = str(compiled)
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

    def steps_of(self, name: str) -> int:
        """Steps that a finished stage was trained for; of one that is damaged, more than any: its loading names it."""
        try:
            return int(json.loads((self.stage(name) / "final" / "stage.json").read_text(encoding="utf-8"))["steps"])
        except (OSError, ValueError, KeyError, TypeError):
            return sys.maxsize

    def is_complete(self, name: str, config: ml_collections.ConfigDict) -> bool:
        """Whether a stage is trained to the last step that a config asks for."""
        return name in self.finished_stages() and self.steps_of(name) >= config[name].steps

    def finished_stages(self) -> list[str]:
        """Names of the stages that are trained to the end."""
        return [name for name in STAGES if (self.stage(name) / "final" / "stage.json").exists()]


def _same_place(left: str, right: str) -> bool:
    """Whether two paths lead to one folder; `train` and `all` are none."""
    return left == right or (bool(left and right) and _resolved(left) == _resolved(right))


def _resolved(path: str) -> str:
    return os.path.realpath(os.path.expanduser(path))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
