import pathlib
import re
import sys

import pytest

from rgunit_tf.cli import configs
from rgunit_tf.config import default_config
from rgunit_tf.errors import UserError

START = "from rgunit_tf.config import default_config\n"


def write(path: pathlib.Path, body: str) -> pathlib.Path:
    path.write_text(START + body)
    return path


def test_a_name_and_its_path_from_anywhere_find_the_shipped_config(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("celeba", "celeba.py", "configs/celeba.py", "configs/celeba", str(root / "configs/celeba.py")):
        assert configs.find(name) == root / "configs/celeba.py"


def test_a_file_of_the_current_folder_comes_before_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = write(tmp_path / "celeba.py", "")
    (tmp_path / "celeba").touch()
    assert configs.find("celeba.py") == mine
    assert configs.find("celeba") != tmp_path / "celeba"


def test_configs_inside_an_installed_package_are_found(tmp_path, monkeypatch):
    write(tmp_path / "avatars.py", "")
    write(tmp_path / "_private.py", "")
    monkeypatch.setattr(configs, "_SHIPPED", (tmp_path, tmp_path / "absent"))
    assert configs.shipped() == {"avatars": tmp_path / "avatars.py"}


@pytest.mark.parametrize(
    ("name", "hint"), [("celebb", "did you mean celeba?"), ("/no/such.py", "one of"), ("/tmp", "no such file")]
)
def test_missing_file_is_named_with_a_remedy(name, hint):
    with pytest.raises(UserError, match=f"--config={name}: .*{re.escape(hint)}"):
        configs.find(name)


def test_every_shipped_config_loads():
    assert configs.DEFAULT in configs.shipped()
    for name in configs.shipped():
        assert configs.load(name).data.source


def test_text_after_a_colon_is_passed_on(tmp_path):
    body = "def get_config(text='none'):\n    c = default_config()\n    c.data.root = text\n    return c\n"
    path = write(tmp_path / "c.py", body)
    assert configs.load(f"{path}:here").data.root == "here"
    assert configs.load(str(path)).data.root == "none"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def get_config():\n    c = default_config()\n    return 1 / 0\n", "line 4: ZeroDivisionError"),
        ("def get_config(:\n", "line 2: SyntaxError"),
        ("import no_such_package\n", "line 2: ModuleNotFoundError"),
        ("x = 1\n", r"get_config\(\) is needed"),
        ("def get_config():\n    pass\n", "returned a NoneType"),
        ("def get_config():\n    c = default_config()\n    del c.data['root']\n    return c\n", "lacks data.root"),
        ("raise SystemExit(0)\n", "line 2: SystemExit"),
    ],
)
def test_a_broken_file_is_named_with_the_line(tmp_path, body, message):
    path = write(tmp_path / "broken.py", body)
    with pytest.raises(UserError, match=f"{re.escape(str(path))}.*{message}"):
        configs.load(str(path))


def test_a_config_may_import_the_one_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(tmp_path / "base_of_test.py", "def get_config():\n    return default_config()\n")
    body = (
        "import base_of_test\ndef get_config():\n    c = base_of_test.get_config()\n    c.data.crop = 7\n    return c\n"
    )
    assert configs.load(str(write(tmp_path / "variant.py", body))).data.crop == 7


def test_prepared_puts_one_config_in_front(root):
    avatars, celeba = f"--config={root}/configs/avatars.py", f"--config={root}/configs/celeba.py"
    assert configs.prepared(["--workdir=x"]) == [avatars, "--workdir=x"]
    override = ["--config.data.image_size=64"]
    assert configs.prepared([*override, "--config=avatars", "-config", "celeba"]) == [celeba, *override]
    assert configs.prepared(["--", "--config=celeba"]) == [avatars, "--", "--config=celeba"]
    assert configs.prepared(["--configs=celeba"]) == [avatars, "--configs=celeba"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--config.data.image_sise=3", "did you mean --config.data.image_size?"),
        ("--noconfig.data.flop", "did you mean --config.data.flip?"),
        ("--config.zzzzzz=3", "known groups: data"),
        ("--config.data={}", "is a group"),
        ("--config.data.root.deeper=3", "no such setting"),
        ("--config", "is missing after it"),
    ],
)
def test_unknown_settings_are_refused_with_the_nearest_name(argument, message):
    with pytest.raises(UserError, match=re.escape(message)):
        configs.prepared([argument])


def test_nothing_is_refused_that_default_config_has():
    names = [f"--config.{group}.{name}=1" for group, settings in default_config().items() for name in settings]
    assert len(configs.prepared(names)) == len(names) + 1
