import json
import subprocess
import sys

import pytest

from rgunit_tf import config as settings
from rgunit_tf.errors import UserError
from rgunit_tf.workdir import Workdir


@pytest.fixture
def workdir(tmp_path):
    result = Workdir(tmp_path / "run")
    result.claim(settings.default_config())
    return result


def test_config_comes_back_as_it_was(tmp_path):
    config = settings.default_config()
    config.data.groups = (("Black_Hair", "Brown_Hair"),)
    config.loss.cycle = 1 / 3
    workdir = Workdir(tmp_path)
    workdir.claim(config)
    assert workdir.config.to_dict() == config.to_dict()
    assert workdir.config.data.groups == (("Black_Hair", "Brown_Hair"),)
    workdir.claim(config)


def test_another_config_is_refused_with_the_differences(workdir):
    config = settings.default_config()
    config.loss.cycle, config.guided.neighbors = 3.0, 5
    before = (workdir.path / "config.json").read_bytes()
    with pytest.raises(UserError) as error:
        workdir.claim(config)
    assert "guided.neighbors: 3 != 5; loss.cycle: 10.0 != 3.0" in str(error.value)
    assert "--workdir" in str(error.value) and "\n" not in str(error.value)
    assert (workdir.path / "config.json").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b'{"config": {', b"\xff\xfe\x00", b"[]", b'{"config": {"loss": 3}}', b"{}"])
def test_a_damaged_config_is_named(workdir, content):
    (workdir.path / "config.json").write_bytes(content)
    for use in (lambda: workdir.claim(settings.default_config()), lambda: workdir.config):
        with pytest.raises(UserError, match=r"config\.json is damaged"):
            use()


def test_a_config_with_settings_unknown_here_is_named(workdir):
    file = workdir.path / "config.json"
    value = json.loads(file.read_text())
    value["config"]["loss"]["sparkle"] = 1.0
    file.write_text(json.dumps(value))
    with pytest.raises(UserError, match=r"loss\.sparkle"):
        _ = workdir.config


def test_a_folder_without_config_is_no_run(tmp_path):
    with pytest.raises(UserError, match="must name the folder of a run"):
        _ = Workdir(tmp_path).config


def test_a_workdir_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    workdir = Workdir(tmp_path / "file")
    with pytest.raises(UserError, match="file"), workdir.lock():
        pass


def test_the_lock_refuses_a_second_run_and_ends_with_the_first(workdir):
    with workdir.lock():
        with pytest.raises(UserError, match="in use by another run"), Workdir(workdir.path).lock():
            pass
        code = (
            "import sys\nfrom rgunit_tf.workdir import Workdir\nfrom rgunit_tf.errors import UserError\n"
            "try:\n    Workdir(sys.argv[1]).lock().__enter__()\nexcept UserError:\n    sys.exit(7)"
        )
        command = [sys.executable, "-c", code, str(workdir.path)]
        root = settings.__file__.rsplit("/", 2)[0]
        assert subprocess.run(command, cwd=root).returncode == 7
    with workdir.lock():
        pass


def test_a_stage_is_finished_once_its_description_is_there(workdir):
    assert workdir.finished_stages() == []
    (workdir.path / "translation/final").mkdir(parents=True)
    assert workdir.finished_stages() == []
    (workdir.path / "translation/final/stage.json").write_text("{}")
    assert workdir.finished_stages() == ["translation"]
