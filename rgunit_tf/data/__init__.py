"""Data sources, decoding and input pipelines; `load` and `from_config` are all that most callers need."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rgunit_tf.config import SETTINGS
from rgunit_tf.errors import UserError
from rgunit_tf.lazy import attach

if TYPE_CHECKING:
    from rgunit_tf.data.records import Records
    from rgunit_tf.data.split import Dataset, Split

__all__ = ["Dataset", "Split", "from_config", "load"]


__getattr__, __dir__ = attach(__name__, {"Dataset": "split", "Split": "split"})


def load(source: str, root: str | os.PathLike | None = None, image_size: int = 128, **options: Any) -> Dataset:
    """Loads a data set.

    Args:
      source: `avatars` (drawn into `root` unless they are there), `celeba`, `folder` or `tfrecord`.
      root: folder of the images; `avatars` has a default in the user's cache folder.
      image_size: S, side of the square images in pixels.
      **options: the other settings of config group `data` (see `rgunit_tf.config.SETTINGS`): attributes, groups,
        missing, num_images, test_images, validation_fraction, fraction, retrieval_source, balance, flip, crop,
        resize_margin, cache_mb, seed.

    Returns:
      The splits train, validation, test and retrieval, and the schema of their labels.

    Raises:
      UserError: an unknown source or option, or something wrong with the files; the message says how to mend it.
    """
    settings = {name: setting.default for name, setting in SETTINGS["data"].items()}
    settings.update(source=source, root=os.fspath(root) if root else "", image_size=image_size)
    for name, value in options.items():
        if name not in settings:
            near = difflib.get_close_matches(name, settings, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(settings)}"
            raise UserError(f"data.{name}: no such setting; {hint}")
        settings[name] = value
    if "attributes" in options and "groups" not in options:
        # The default groups are those of the default attributes.
        kept = [[name for name in group if name in settings["attributes"]] for group in settings["groups"]]
        settings["groups"] = tuple(tuple(group) for group in kept if len(group) > 1)
    return from_config(settings)


def from_config(data: Mapping[str, Any]) -> Dataset:
    """Loads what the config group `data` describes; see `load`."""
    settings = {name: data[name] for name in SETTINGS["data"]}
    for name, setting in SETTINGS["data"].items():
        problem = setting.problem(settings[name])
        if problem:
            raise UserError(f"data.{name}={settings[name]!r} {problem}")
    from rgunit_tf.data.assemble import assemble

    return assemble(records_of(settings), settings["image_size"], settings)


def check_root(data: Mapping[str, Any]) -> None:
    """Says at once, before anything is loaded or read, that there are no data.

    Raises:
      UserError: `data.root` is empty or no folder, where the source needs one.
    """
    root = os.path.expanduser(data["root"])
    if data["source"] == "avatars":
        return
    if not root:
        raise UserError(
            f"data.root is empty; give the folder of the {data['source']} data: --config.data.root=path/to/it"
        )
    if not os.path.isdir(root):
        raise UserError(f"--config.data.root={data['root']}: no such folder; give that of the {data['source']} data")


def records_of(data: Mapping[str, Any]) -> Records:
    """What the source that the config group `data` describes knows of its images; avatars are drawn if need be."""
    from rgunit_tf.data.crop import crop_share

    settings = {name: data[name] for name in SETTINGS["data"]}
    return dataclasses.replace(_records(settings), crop_share=crop_share(settings))


def _records(settings: dict[str, Any]) -> Records:
    source = settings["source"]
    chances = {name: settings[name] for name in ("test_images", "validation_fraction", "seed")}
    root = settings["root"]
    if source == "avatars":
        root = _drawn_avatars(settings)
    elif not root:
        raise UserError(f"data.root is empty; give the folder of the {source} data")
    if source in ("avatars", "celeba"):
        from rgunit_tf.data import celeba

        crop = settings["crop"] * (avatar_width(settings["image_size"]) if source == "avatars" else 178) // 178
        chances["missing"] = settings["missing"]
        return celeba.load_records(root, settings["attributes"], settings["groups"], crop, **chances)
    if source == "folder":
        from rgunit_tf.data import folder

        return folder.load_records(root, **chances)
    from rgunit_tf.data import tfrecord

    return tfrecord.load_records(root)


def avatar_width(image_size: int) -> int:
    """Width in pixels at which avatars are drawn: CelebA's, or more where the images are to be larger."""
    return max(178, image_size)


def _drawn_avatars(settings: dict[str, Any]) -> str:
    """Folder of the avatars, which are drawn if they are not there."""
    from rgunit_tf import cache
    from rgunit_tf.data import avatars

    number, seed, width = settings["num_images"], settings["seed"], avatar_width(settings["image_size"])
    root = settings["root"]
    if not root:
        larger = f"-{width}" if width > 178 else ""
        root = os.fspath(cache.user_folder() / f"data/avatars-{number}-{seed}{larger}")
    root = os.path.expanduser(root)
    avatars.draw_dataset(root, number, size=width, seed=seed)
    return root
