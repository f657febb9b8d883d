"""A run with untrained stages, and pictures prepared for it."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.data import folder, prepare


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> pathlib.Path:
    """Two domains of 30 pictures each, and 13 others in the folder `more`."""
    root = tmp_path_factory.mktemp("pictures")
    for place, count in (("photos/cat", 30), ("photos/dog", 30), ("more", 13)):
        (root / place).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng([number, len(place), count]).integers(0, 256, (18, 16, 3), np.uint8)
            Image.fromarray(pixels).save(root / place / f"{number}.png")
    return root


@pytest.fixture(scope="session")
def prepared(pictures, tmp_path_factory) -> pathlib.Path:
    """The pictures as records, four files a part, the retrieval folder's among them."""
    output = tmp_path_factory.mktemp("prepared") / "records"
    prepare.write_tfrecord(
        folder.load_records(pictures / "photos"), output, folder.unlabelled_reader(pictures / "more"), shards=4
    )
    return output


@pytest.fixture(scope="session")
def workdir(stages, tmp_path_factory):
    """A run of which translation and retrieval are finished, without a gallery."""
    from rgunit_tf import default_config
    from rgunit_tf.runs import finished
    from rgunit_tf.runs.workdir import Workdir

    config = default_config()
    config.data.image_size = 16
    workdir = Workdir(tmp_path_factory.mktemp("run"))
    workdir.claim(config)
    for model in stages[:2]:
        model.compile()
        finished.save(model, workdir.stage(model.name) / "final", {})
    return workdir


def contents(root: pathlib.Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def files_of():
    """`contents`."""
    return contents
