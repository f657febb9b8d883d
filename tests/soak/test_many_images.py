"""Many small pictures, prepared and embedded by Apache Beam, killed and resumed: the files are those of the pool.

RGUNIT_IMAGES says how many, 20,000 unless said otherwise; what each part took of a core and of memory is printed.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time

import pytest

from rgunit_tf.atomic import checksum

pytest.importorskip("apache_beam")

IMAGES = int(os.environ.get("RGUNIT_IMAGES", "20000"))
PROGRAM = pathlib.Path(__file__).with_name("many_images.py")
ROOT = PROGRAM.parents[2]


def start(*arguments) -> subprocess.Popen:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen([sys.executable, PROGRAM, *map(str, arguments)], env={**os.environ, "PYTHONPATH": path})


@contextlib.contextmanager
def told(what: str):
    """Says what the processes that end meanwhile took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    yield
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = sum(getattr(after, name) - getattr(before, name) for name in ("ru_utime", "ru_stime"))
    each = 1e6 * seconds / IMAGES
    rate = f"{each:.0f} µs an image, a million in {each / 60:.1f} min"
    print(f"{what}: {seconds:.1f} s of a core, {rate}", flush=True)


def run(*arguments) -> None:
    """Runs the program to its end."""
    assert start(*arguments).wait() == 0


def run_killed(finished, wanted: int, *arguments) -> None:
    """Kills the program once so many shards are there, and runs it again; what was finished stays as it is."""
    process = start(*arguments)
    while len(finished()) < wanted:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = {path: path.stat().st_ino for path in finished()}
    print(f"{arguments[0]}: killed with {len(kept)} shards")
    run(*arguments)
    assert all(path.stat().st_ino == inode for path, inode in kept.items())


def sums(root: pathlib.Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): checksum(path) for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def root(stages, tmp_path_factory):
    """A run with finished stages, and the pictures."""
    from rgunit_tf import default_config
    from rgunit_tf.runs import finished
    from rgunit_tf.runs.workdir import Workdir

    root = tmp_path_factory.mktemp("many")
    config = default_config()
    config.data.image_size = 16
    workdir = Workdir(root / "run")
    workdir.claim(config)
    for model in stages[:2]:
        model.compile()
        finished.save(model, workdir.stage(model.name) / "final", {})
    with told("make"):
        run("make", root, IMAGES)
    return root


def test_killed_and_resumed_pipelines_write_what_the_pool_writes(root):
    with told("prepare, pool"):
        run("prepare", root, root / "records", "pool")
    prepared = root / "by_beam"
    with told("prepare, beam, killed once"):
        run_killed(lambda: list(prepared.glob("train-*.tfrecord")), 8, "prepare", root, prepared, "beam")
    assert sums(prepared) == sums(root / "records")

    with told("embed, pool"):
        run("embed", root, root / "shards", "pool")
    embedded = root / "shards_by_beam"
    with told("embed, beam, killed once"):
        run_killed(lambda: list(embedded.glob("*/manifest.json")), 2, "embed", root, embedded, "beam")
    assert sums(embedded) == sums(root / "shards")
