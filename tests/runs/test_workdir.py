import json
import subprocess
import sys

import pytest

from rgunit_tf import config as settings
from rgunit_tf import legacy_keras
from rgunit_tf.errors import UserError
from rgunit_tf.runs.workdir import Workdir

DATA = "aaa"


@pytest.fixture
def workdir(tmp_path):
    result = Workdir(tmp_path / "run")
    result.claim(settings.default_config(), DATA)
    return result


def finish(workdir, stage, steps):
    """As a training to the end leaves it, but for the weights."""
    (workdir.stage(stage) / "final").mkdir(parents=True, exist_ok=True)
    (workdir.stage(stage) / "final/stage.json").write_text(json.dumps({"steps": steps}))


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
    config.loss.cycle, config.model.width = 3.0, 5
    before = (workdir.path / "config.json").read_bytes()
    with pytest.raises(UserError) as error:
        workdir.claim(config)
    assert "loss.cycle: 10.0 != 3.0; model.width: 64 != 5" in str(error.value)
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


@pytest.mark.parametrize("compiled", [False, True])
def test_a_run_of_before_xla_was_chosen_by_the_machine_goes_on(workdir, compiled):
    path = workdir.path / "config.json"
    content = json.loads(path.read_text())
    content["config"]["train"]["jit_compile"] = compiled
    path.write_text(json.dumps(content))
    assert workdir.config.train.jit_compile == str(compiled)
    settings.validate(workdir.config)
    workdir.claim(settings.default_config(), DATA)
    assert workdir.config.train.jit_compile == "auto"


def test_changed_data_are_refused(workdir):
    data, others = DATA, "bbb"
    workdir.claim_data(data)
    workdir.claim(settings.default_config())
    with pytest.raises(UserError, match="the data have changed since this run began") as error:
        workdir.claim_data(others)
    assert "aaa" in str(error.value) and "bbb" in str(error.value)
    workdir.claim_data(data)
    with pytest.raises(UserError, match="the data have changed"):
        workdir.claim(settings.default_config(), others)


def test_a_command_that_failed_before_any_data_were_read_owns_nothing(tmp_path):
    workdir, config = Workdir(tmp_path), settings.default_config()
    workdir.claim(config)
    config.loss.cycle, config.data.root = 3.0, "/elsewhere"
    workdir.check(config)
    workdir.claim(config, DATA)
    assert workdir.config.loss.cycle == 3.0
    config.loss.cycle = 4.0
    for refused in (lambda: workdir.check(config), lambda: workdir.claim(config, DATA)):
        with pytest.raises(UserError, match=r"loss\.cycle: 3\.0 != 4\.0"):
            refused()


def test_a_run_of_before_data_were_noted_is_kept(workdir):
    file = workdir.path / "config.json"
    content = json.loads(file.read_text())
    del content["data_fingerprint"]
    file.write_text(json.dumps(content))
    (workdir.stage("translation") / "checkpoints").mkdir(parents=True)
    config = settings.default_config()
    config.loss.cycle = 3.0
    with pytest.raises(UserError, match="another config"):
        workdir.claim(config, DATA)


@pytest.mark.parametrize("root", ["data/", "./data", "{here}/data", "data/../data", "link"])
def test_the_same_folder_by_another_path(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    workdir, config = Workdir(tmp_path / "run"), settings.default_config()
    config.data.root = "data"
    workdir.claim(config, DATA)
    config.data.root = root.format(here=tmp_path)
    assert not workdir.has_moved(config)
    workdir.claim(config)


def test_data_may_move_as_long_as_they_are_the_same(workdir):
    config = settings.default_config()
    config.data.root = "/moved"
    assert workdir.has_moved(config)
    workdir.check(config)
    with pytest.raises(UserError, match="the data have to be read before their place may change"):
        workdir.claim(config)
    with pytest.raises(UserError, match="the data have changed"):
        workdir.claim(config, "bbb")
    assert workdir.config.data.root == ""
    workdir.claim(config, DATA)
    assert workdir.config.data.root == "/moved" and not workdir.has_moved(config)


def test_settings_of_a_stage_may_change_until_it_begins(workdir):
    config = settings.default_config()
    config.guided.batch_size, config.retrieval.learning_rate = 4, 1e-3
    workdir.claim(config, DATA)
    assert workdir.config.guided.batch_size == 4
    (workdir.stage("guided") / "checkpoints").mkdir(parents=True)
    config.guided.batch_size = 8
    workdir.claim(config, DATA)
    (workdir.stage("guided") / "checkpoints/step-10.index").write_text("")
    config.guided.batch_size = 16
    with pytest.raises(UserError, match=r"guided\.batch_size: 8 != 16"):
        workdir.claim(config, DATA)


def test_a_finished_stage_may_be_trained_on(workdir):
    finish(workdir, "translation", 100_000)
    config = settings.default_config()
    assert workdir.is_complete("translation", config)
    config.translation.learning_rate = 1e-5
    with pytest.raises(UserError, match=r"translation\.learning_rate"):
        workdir.claim(config, DATA)
    config.translation.steps = 120_000
    workdir.claim(config, DATA)
    assert workdir.config.translation.steps == 120_000 and not workdir.is_complete("translation", config)
    config.translation.steps = 90_000
    with pytest.raises(UserError, match=r"translation\.steps: 120000 != 90000"):
        workdir.claim(config, DATA)
    config.translation.steps, config.translation.beta_1 = 130_000, 0.9
    with pytest.raises(UserError, match=r"translation\.beta_1"):
        workdir.claim(config, DATA)


@pytest.mark.parametrize("content", [b'{"format"', b"[]", b'{"format": 99}', b'{"steps": "many"}', b"\xff"])
def test_a_damaged_stage_is_not_trained_again(workdir, content):
    """Its loading says what is wrong with it."""
    finish(workdir, "translation", 100_000)
    (workdir.stage("translation") / "final/stage.json").write_bytes(content)
    assert workdir.is_complete("translation", settings.default_config())


def test_a_stage_that_others_were_trained_from_stays(workdir):
    finish(workdir, "translation", 100_000)
    finish(workdir, "retrieval", 10_000)
    config = settings.default_config()
    config.translation.steps = 120_000
    with pytest.raises(UserError, match=r"translation\.steps: retrieval .* was trained from .*; delete .*retrieval"):
        workdir.claim(config, DATA)
    assert workdir.config.translation.steps == 100_000


def test_where_the_weights_come_from_stays(workdir, tmp_path):
    config = settings.default_config()
    with pytest.raises(UserError, match=r"--init_from=/other: .* was begun without"):
        workdir.claim(config, DATA, "/other")
    tuned = Workdir(tmp_path / "tuned")
    tuned.claim(config, DATA, "/other")
    tuned.claim(config, DATA)
    tuned.claim(config, DATA, "/other")
    assert tuned.origin == "/other" and workdir.origin == ""
    with pytest.raises(UserError, match="was begun from /other"):
        tuned.claim(config, DATA, "/third")


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
