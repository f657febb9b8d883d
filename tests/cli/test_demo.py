import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from rgunit_tf import bundled
from rgunit_tf.cli import demo

STAND_IN = pathlib.Path(__file__).with_name("inference_command.py")


def test_it_says_where_it_is_answers_and_ends_on_a_signal(root, export_folder, photos):
    arguments = [f"--model={export_folder}", f"--examples={photos}", "--port=0"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    # Code 0: the server ends, it is not broken off.
    with subprocess.Popen(
        [sys.executable, str(STAND_IN), "demo", "0", *arguments], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            said = process.stdout.readline()
            url = re.fullmatch(r"demo: export \S+ at (http://127.0.0.1:\d+/) \(\d+ ms .*\); Ctrl-C ends it\n", said)
            with urllib.request.urlopen(f"{url.group(1)}api/model") as answer:
                model = json.load(answer)
            assert [example["name"] for example in model["examples"]] == [f"{n}.png" for n in (0, 1, 2, 3, 5)]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


@pytest.fixture
def served(monkeypatch):
    """Nothing is served; what would have been opened in a browser."""
    from rgunit_tf.demo import server

    class Server:
        def serve_forever(self):
            pass

    opened = []
    monkeypatch.setattr(server, "make", lambda app, bound: opened.append(app.config["TRUSTED_HOSTS"]) or Server())
    monkeypatch.setattr(demo.webbrowser, "open", opened.append)
    return opened


def test_other_machines_are_let_in_with_a_warning(call, served, export_folder):
    code, out, err = call(demo, f"--model={export_folder}", "--host=0.0.0.0", "--port=0")
    assert code == 0 and err == "demo: --host=0.0.0.0 lets other machines in, without a password\n"
    assert served == [None]
    code, out, err = call(demo, f"--model={export_folder}", "--port=0", "--open_browser")
    assert (code, err) == (0, "") and served[2] in out and "127.0.0.1" in served[1]


def test_mistakes_are_one_line_before_anything_is_loaded(call, export_folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cases = [
            (["--model=/nowhere"], "--model=/nowhere: no such folder"),
            ([f"--model={export_folder}", f"--port={port}"], "give another port"),
            ([f"--model={export_folder}", "--examples=/nowhere"], "/nowhere: no such file"),
            ([f"--model={export_folder}", "--port=99999"], "port"),
        ]
        for arguments, message in cases:
            code, out, err = call(demo, *arguments)
            assert (code, out) == (2, "") and err.count("\n") == 1 and message in err, err
    assert not call.loaded


def test_without_a_model_it_takes_the_one_that_comes_along(call, export_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    code, _, err = call(demo)
    assert code == 2 and err.startswith("demo: no model comes with this installation") and err.count("\n") == 1
    (tmp_path / "config.json").touch()
    code, _, err = call(demo)
    # Found, and no model.
    assert code == 2 and str(tmp_path) in err


def test_an_export_that_cannot_translate(call, stand_in, schema, tmp_path):
    folder = stand_in.write_export(tmp_path / "retrieval" / "1", schema, stage="retrieval")
    code, _, err = call(demo, f"--model={folder}")
    assert code == 2 and "is an export of the retrieval stage" in err


def test_without_flask_it_says_what_to_install(call, export_folder, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("rgunit_tf.demo")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("rgunit_tf.demo", raising=False)
    monkeypatch.setitem(sys.modules, "flask", None)
    code, _, err = call(demo, f"--model={export_folder}")
    assert (code, err) == (2, "demo: bin/demo needs Flask; install it with pip install 'rgunit_tf[demo]'\n")
