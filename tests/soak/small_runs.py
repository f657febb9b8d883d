"""Pictures, tiny runs and commands of their own for the tests of faults, and what has to hold after each fault."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tests import small_models

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SETTINGS = {
    **small_models.TINY_RUN,
    "data.test_images": 20,
    "translation.steps": 400,
    "translation.batch_size": 4,
    "retrieval.steps": 400,
    "retrieval.batch_size": 4,
    "guided.steps": 300,
    "guided.batch_size": 4,
    "guided.neighbors": 2,
    "loss.mask_warmup": 10,
    "train.log_every": 5,
    "train.checkpoint_every": 5,
    "train.sample_every": 20,
    "train.deterministic": True,
    "train.tensorboard": False,
}


def draw_pictures(folder: pathlib.Path, count: int, side: int) -> pathlib.Path:
    """Noise of two colours, `count` files a domain: red/ and blue/."""
    random = np.random.default_rng(side)
    for domain, channel in (("red", 0), ("blue", 2)):
        (folder / domain).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 128, (side, side, 3), np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(folder / domain / f"{number:04d}.png", compress_level=0)
    return folder


def command(name: str, *arguments: str | os.PathLike) -> list[str]:
    """bin/<name> with arguments."""
    return [sys.executable, "-m", f"rgunit_tf.cli.{name}", *map(str, arguments)]


def training(data: pathlib.Path, workdir: pathlib.Path, stage: str, **changed: object) -> list[str]:
    """bin/train of a stage on pictures of `draw_pictures`."""
    settings = [f"--config.{name}={value}" for name, value in {**_SETTINGS, **changed}.items()]
    where = [f"--config.data.root={data}", f"--workdir={workdir}", f"--stage={stage}"]
    return command("train", "--config=cat_dog", "--noreport", *where, *settings)


def start(arguments: Sequence[str], log: pathlib.Path, **options: object) -> subprocess.Popen:
    """Starts a command in a session of its own; all it says goes to the file `log`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RGUNIT_CACHE": str(log.parent / "cache")}
    with open(log, "wb") as stream:
        return subprocess.Popen(
            arguments, cwd=ROOT, stdout=stream, stderr=stream, env=environment, start_new_session=True, **options
        )


def run(arguments: Sequence[str], log: pathlib.Path, **options: object) -> tuple[int, str]:
    """Runs a command to its end; returns its exit code and what it said."""
    code = start(arguments, log, **options).wait()
    return code, log.read_text(errors="replace")


def work_in(folder: pathlib.Path) -> set[pathlib.Path]:
    """All paths that tell of work: neither locks nor what a command writes down before it starts."""
    early = re.compile(r"\.lock|config\.json|\.progress|plan\.json|manifest\.jsonl|\.partial-.*(json|csv)")
    # Path.rglob fails where a folder goes away under it.
    found = (pathlib.Path(parent) / name for parent, folders, files in os.walk(folder) for name in folders + files)
    return {path for path in found if not early.fullmatch(path.name)}


def check(folder: pathlib.Path) -> list[str]:
    """What is wrong with the files below a folder that have final names: each has to be whole."""
    checks = {
        ".json": lambda file: json.loads(file.read_text()),
        ".jsonl": lambda file: [json.loads(line) for line in file.read_text().split("\n")[:-1]],
        ".csv": _check_rows,
        ".png": lambda file: Image.open(file).load(),
        ".npy": lambda file: np.load(file, allow_pickle=False),
        ".index": lambda file: values_of(file.with_suffix("")),
        ".pb": _check_export,
        ".tfrecord": _check_records,
    }
    problems = []
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder).parts
        if file.is_dir() or any(part.startswith(".partial-") or part.endswith("_temp") for part in inside):
            continue
        try:
            checks.get(file.suffix, lambda file: None)(file)
            if file.name in ("manifest.json", "dataset.json"):
                _check_sums(file)
        except Exception as error:
            problems.append(f"{file}: {error!r}"[:300])
    if (folder / ".lock").exists() and not _is_free(folder / ".lock"):
        problems.append(f"{folder}: its lock is held")
    return problems


def leftovers(folder: pathlib.Path) -> list[str]:
    """What only a command that is running may have there."""
    temporary = [path for pattern in (".partial-*", "*_temp", ".progress") for path in folder.rglob(pattern)]
    orphans = [path for path in folder.rglob("step-*.data-*") if not path.with_suffix(".index").exists()]
    return [str(path) for path in temporary + orphans]


def values_of(prefix: pathlib.Path) -> dict[str, np.ndarray | bytes]:
    """All values of a checkpoint, which verifies their checksums; without what describes the Python objects."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    names = [name for name in reader.get_variable_to_shape_map() if not name.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name) for name in names}


def results(folder: pathlib.Path) -> dict[str, str]:
    """Checksum by name of all that a finished command leaves and that two runs of it have to share.

    Of exports the newest counts: one that is killed after it is published is followed by another.
    """
    found = {}
    versions = [path for path in folder.glob("**/export/[0-9]*") if path.parent.name == "export"]
    old = {path for path in versions if int(path.name) < max(int(other.name) for other in path.parent.iterdir())}
    for file in sorted(folder.rglob("*")):
        if old & set(file.parents):
            continue
        name = re.sub(r"export/\d+/", "export/newest/", file.relative_to(folder).as_posix())
        if name.endswith("final/weights.index"):
            found |= {f"{name}: {key}": _digest(value) for key, value in values_of(file.with_suffix("")).items()}
        elif name.endswith("variables/variables.index"):
            # The variables of an export have no names that stay.
            found[name] = ",".join(sorted(_digest(value) for value in values_of(file.with_suffix("")).values()))
        elif file.suffix in (".png", ".npy", ".tfrecord") or file.name in ("ids.json", "models.config"):
            found[name] = _sha256(file)
        elif file.name == "rgunit.json":
            # The file of the weights, which `origin` is a checksum of, has names in another order each time.
            facts = json.loads(file.read_text())
            found[name] = json.dumps({**facts, "origin": None}, sort_keys=True)
        elif file.name == "dataset.json":
            found[name] = json.dumps(json.loads(file.read_text())["splits"], sort_keys=True)
        elif file.name == "history.csv":
            # The means of a line begin anew where training was resumed between two lines.
            found[name] = ",".join(line.partition(",")[0] for line in file.read_text().splitlines())
    return found


def _check_rows(file: pathlib.Path) -> None:
    lines = file.read_text().splitlines()
    if any(line.count(",") != lines[0].count(",") for line in lines[:-1]):
        raise ValueError("a line is cut off")


def _check_records(file: pathlib.Path) -> None:
    import tensorflow as tf

    for _ in tf.data.TFRecordDataset(str(file)):
        pass


def _check_export(file: pathlib.Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model_pb2.SavedModel.FromString(file.read_bytes())
    values_of(file.parent / "variables" / "variables")
    for name in ("rgunit.json", "tf_serving_warmup_requests"):
        if not (file.parent / "assets.extra" / name).stat().st_size:
            raise ValueError(f"{name} is empty")


def _check_sums(file: pathlib.Path) -> None:
    content = json.loads(file.read_text())
    sums = content.get("sha256") or {
        entry["file"]: entry["sha256"] for entries in content["splits"].values() for entry in entries
    }
    for name, expected in sums.items():
        if _sha256(file.parent / name) != expected:
            raise ValueError(f"{name} is not what was written")


def _is_free(lock: pathlib.Path) -> bool:
    with open(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _sha256(file: pathlib.Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _digest(value: np.ndarray | bytes) -> str:
    array = np.asarray(value)
    content = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
    return hashlib.sha256(f"{array.dtype} {array.shape}".encode() + content).hexdigest()
