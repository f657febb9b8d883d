import subprocess
import sys

import pytest

from rgunit_tf.data.avatars.people import sample_person
from rgunit_tf.data.avatars.workers import draw_files


def test_failure_in_a_worker_is_reported(tmp_path):
    people = [sample_person(0, index) for index in range(70)]
    files = [str(tmp_path / "absent" / f"{index}.png") for index in range(70)]
    with pytest.raises(RuntimeError, match="FileNotFoundError"):
        list(draw_files(people, files, 32, workers=2))


def test_workers_do_not_import_tensorflow():
    command = "import sys, rgunit_tf.data.avatars; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
