import json
import subprocess
import sys

import ml_collections
import pytest

from rgunit_tf import config as settings
from rgunit_tf.errors import UserError


@pytest.fixture
def config():
    return settings.default_config()


def test_defaults_are_valid_and_of_the_papers_scale(config):
    settings.validate(config)
    assert (config.data.image_size, config.model.width, config.model.style_dim) == (128, 64, 8)
    weights = [config.loss[name] for name in ("reconstruction", "cycle", "content", "style", "kl")]
    assert weights == [10.0, 10.0, 1.0, 1.0, 0.1]
    assert (config.loss.adversarial, config.loss.domain) == (1.0, 1.0)
    assert (config.retrieval.embedding_dim, config.retrieval.margin, config.retrieval.dropout) == (300, 0.2, 0.1)


def test_every_setting_has_a_meaning_and_a_default_it_accepts():
    for group, names in settings.SETTINGS.items():
        for name, setting in names.items():
            assert len(setting.meaning) > 10, (group, name)
            assert setting.problem(setting.default) is None, (group, name)


@pytest.mark.parametrize(
    ("group", "name", "value", "message"),
    [
        ("data", "source", "avatar", "config.data.source='avatar' must be one of avatars, celeba, folder, tfrecord"),
        ("data", "image_size", 30, "config.data.image_size=30 must be a multiple of 4"),
        ("data", "image_size", 4, "must be at least 8"),
        ("data", "image_size", 12, "config.model.discriminator_scales=2 leaves 6 pixels"),
        ("data", "fraction", 0.0, "must be at least 0.001"),
        ("data", "fraction", float("nan"), "not NaN"),
        ("data", "attributes", (), "at least one name"),
        ("data", "groups", (("Black_Hair", "Red_Hair"),), "unknown attribute 'Red_Hair'"),
        ("translation", "steps", 0, "config.translation.steps=0 must be at least 1"),
        ("translation", "learning_rate", 2.0, "must be at most 1.0"),
        ("retrieval", "negatives", (), "must be one or more of easy"),
        ("retrieval", "negatives", ("easy", "hard"), "must be one or more of easy"),
        ("retrieval", "index", "faiss", "must be one of exact, scann"),
        ("loss", "real_values", 1.0, "give --config.model.judge_values=True"),
        ("guided", "neighbors", -1, "must be at least 0"),
        ("guided", "mode", "nearest", "must be one of retrieved, random"),
        ("guided", "fusion", "sum", "must be one of equation9, attention"),
    ],
)
def test_wrong_values_are_named(config, group, name, value, message):
    config[group][name] = value
    with pytest.raises(UserError) as error:
        settings.validate(config)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            {"fusion": "attention", "initial_share": 0.4},
            "initial_share=0.4 is of --config.guided.fusion=equation9 alone",
        ),
        ({"style": "neighbors", "neighbors": 0}, "style=neighbors needs some; give --config.guided.neighbors=3"),
    ],
)
def test_guidance_that_contradicts_itself(config, chosen, message):
    config.guided.update(chosen)
    with pytest.raises(UserError, match=message):
        settings.validate(config)


def test_attributes_are_not_checked_where_folders_define_them(config):
    config.data.source = "folder"
    config.data.attributes = ()
    settings.validate(config)


def test_unknown_names_get_the_nearest_one(config):
    with config.unlocked():
        config.translation.step = 3
    with pytest.raises(
        UserError, match=r"config\.translation\.step: no such setting; did you mean translation\.steps\?"
    ):
        settings.validate(config)
    config = settings.default_config()
    with config.unlocked():
        config.tranlation = {}
    with pytest.raises(UserError, match="unknown group 'tranlation'; did you mean translation"):
        settings.validate(config)


def test_group_settings_are_the_defaults_with_overrides():
    values = settings.group_settings("guided", {"neighbors": 5})
    assert (values.neighbors, values.mode) == (5, "retrieved")
    with pytest.raises(UserError, match=r"guided\.neighbours: no such setting; did you mean guided\.neighbors\?"):
        settings.group_settings("guided", {"neighbours": 5})
    with pytest.raises(UserError, match="must be at least 0"):
        settings.group_settings("guided", {"neighbors": -1})


def test_differences_name_each_setting_that_differs(config):
    before = settings.to_plain(config)
    config.loss.cycle = 3.0
    config.data.attributes = ("Male", "Young")
    lines = list(map(str, settings.differences(before, settings.to_plain(config))))
    assert len(lines) == 2
    assert lines[0].startswith("data.attributes: ['Black_Hair'") and lines[0].endswith("!= ['Male', 'Young']")
    assert lines[1] == "loss.cycle: 10.0 != 3.0"
    assert settings.differences(before, before) == []
    assert settings.differences({}, {"loss": {"cycle": 1.0}}) == [("loss", "cycle", None, 1.0)]


def test_plain_config_survives_json(config):
    plain = settings.to_plain(config)
    assert json.loads(json.dumps(plain)) == plain


def test_settings_do_not_need_tensorflow():
    modules = "rgunit_tf.config, rgunit_tf.domains, rgunit_tf.runs.workdir"
    code = f"import sys, {modules}; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=settings.__file__.rsplit("/", 2)[0])


def test_no_setting_has_the_name_of_a_method():
    """`config.loss.values` would be the method, whatever the setting is."""
    methods = set(dir(ml_collections.ConfigDict()))
    assert not {name for settings_of in settings.SETTINGS.values() for name in settings_of} & methods
