import subprocess
import sys

import pytest

from rgunit_tf.data.avatars.people import sample_person
from rgunit_tf.data.avatars.workers import draw_files


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_cannot_be_written(tmp_path, workers):
    people = [sample_person(0, index) for index in range(70)]
    files = [str(tmp_path / "absent" / f"{index}.png") for index in range(70)]
    with pytest.raises(FileNotFoundError, match="absent"):
        list(draw_files(people, files, 32, workers=workers))


def test_workers_do_not_import_tensorflow():
    command = "import sys, rgunit_tf.data.avatars; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
