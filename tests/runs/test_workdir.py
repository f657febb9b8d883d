import json
import subprocess
import sys

import pytest

from rgunit_tf import config as settings
from rgunit_tf import legacy_keras
from rgunit_tf.errors import UserError
from rgunit_tf.runs.workdir import Workdir


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


def test_what_a_run_was_made_with_is_kept(workdir, root):
    content = json.loads((workdir.path / "config.json").read_text())
    assert content["seed"] == 0
    assert set(content["versions"]) == {"python", "rgunit_tf", "tensorflow", legacy_keras.PACKAGE, "numpy", "scann"}
    assert content["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert content["versions"]["tensorflow"].startswith("2.")
    if (root / ".git").exists():
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        assert content["revision"].rstrip("+") == head.stdout.strip()
    else:
        assert content["revision"] is None


def test_other_versions_are_named_and_no_cause_for_refusing(workdir, caplog):
    file = workdir.path / "config.json"
    content = json.loads(file.read_text())
    content.update(versions={"tensorflow": "1.0"}, revision="0" * 40)
    file.write_text(json.dumps(content))
    workdir.claim(settings.default_config())
    assert json.loads(file.read_text()) == content
    assert "was begun with TensorFlow 1.0; with 2." in caplog.text


def test_settings_that_change_no_result_may_change(workdir):
    file = workdir.path / "config.json"
    before = json.loads(file.read_text())
    config = settings.default_config()
    config.train.on_nan, config.train.keep_checkpoints, config.guided.content_cache_mb = "rollback", 5, 7
    workdir.claim(config)
    assert (workdir.config.train.on_nan, workdir.config.guided.content_cache_mb) == ("rollback", 7)
    assert {**json.loads(file.read_text()), "config": None} == {**before, "config": None}
    config.loss.kl = 3.0
    with pytest.raises(UserError) as error:
        workdir.claim(config)
    assert "loss.kl: 0.1 != 3.0" in str(error.value) and "on_nan" not in str(error.value)


def test_a_setting_that_was_added_later_had_its_default(workdir):
    file = workdir.path / "config.json"
    content = json.loads(file.read_text())
    del content["config"]["train"]["precision"]
    file.write_text(json.dumps(content))
    config = settings.default_config()
    workdir.claim(config)
    config.train.precision = "mixed_bfloat16"
    with pytest.raises(UserError, match=r"train\.precision: float32 != mixed_bfloat16"):
        workdir.claim(config)


def test_changed_data_are_refused(workdir):
    data, others = "aaa", "bbb"
    workdir.claim_data(data)
    workdir.claim_data(data)
    workdir.claim(settings.default_config())
    with pytest.raises(UserError, match="the data have changed since this run began") as error:
        workdir.claim_data(others)
    assert "aaa" in str(error.value) and "bbb" in str(error.value)
    workdir.claim_data(data)


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
            "import sys\nfrom rgunit_tf.runs.workdir import Workdir\nfrom rgunit_tf.errors import UserError\n"
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
