import hashlib
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.cli import translate


@pytest.fixture
def run(call, export_folder, photos, tmp_path):
    """Runs bin/translate to `out`; arguments that are given again replace these."""

    def run(*arguments):
        common = [f"--model={export_folder}", f"--input={photos}", f"--output={tmp_path / 'out'}"]
        given = {str(argument).partition("=")[0] for argument in arguments}
        return call(translate, *[word for word in common if word.partition("=")[0] not in given], *arguments)

    run.loaded = call.loaded
    return run


def hashes(folder: pathlib.Path) -> dict[str, str]:
    """Of all results: name -> hash."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.jsonl"]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_bad_files_are_named_and_the_rest_is_done(run, tmp_path):
    code, out, err = run("--to=Male")
    assert code == 1
    assert err.startswith("translate: 4.png: skipped, ") and err.count("\n") == 1
    assert out.startswith("translate: 5 pictures translated to Male by the export") and out.count("\n") == 1
    assert "of 5 the centre square alone" in out and "1 skipped" in out
    assert sorted(hashes(tmp_path / "out")) == ["0.png", "1.png", "2.png", "3.png", "5.png", "contact_sheet.png"]


def test_pictures_unlike_those_of_the_training_are_named(run, photos, tmp_path, monkeypatch):
    (photos / "4.png").unlink()
    monkeypatch.setattr("rgunit_tf.inference.Model.unlikeness_of", lambda self, images: np.linspace(0.8, 1.6, 5))
    code, _, err = run("--to=Male")
    assert code == 0 and err.startswith(
        "translate: 2.png, 3.png, 5.png: unlike the pictures that the model was trained"
    )
    assert err.count("\n") == 1
    assert '"unlikeness": 1.6' in (tmp_path / "out" / "manifest.jsonl").read_text()
    monkeypatch.setattr(translate, "_NAMED", 1)
    code, _, err = run("--to=Young")
    assert err.startswith("translate: 2.png and 2 more: unlike")


def test_other_kinds_of_pictures_are_taken_or_counted(run, photos, tmp_path):
    (photos / "4.png").unlink()
    Image.new("RGB", (20, 20)).save(photos / "6.tif")
    Image.new("RGB", (20, 20)).save(photos / "7.jfif")
    (photos / "notes.txt").write_text("x")
    code, out, err = run("--to=Male")
    assert code == 0 and "7 pictures translated" in out and err == "translate: 1 file passed over, 1 .txt\n"
    assert {"6.tif.png", "7.jfif"} <= set(hashes(tmp_path / "out"))
    (photos / "8.cr2").write_bytes(b"x")
    code, out, err = run("--to=Male")
    assert code == 1 and "2 files passed over, 1 .cr2, 1 .txt" in err and str(photos / "8.cr2") in err


def test_a_second_run_does_nothing_and_does_not_load_the_model(run, photos, tmp_path):
    (photos / "4.png").unlink()
    assert run("--to=Male")[0] == 0
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    loaded = len(run.loaded)
    code, out, err = run("--to=Male")
    assert (code, err) == (0, "") and "5 were done before" in out and "translated" not in out
    assert len(run.loaded) == loaded
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == times
    code, out, _ = run("--to=-Male")
    assert code == 0 and "5 of them in the place of results of other settings" in out


def test_a_sheet_that_was_not_drawn_any_more_is_drawn_by_the_next_run(run, photos, tmp_path):
    (photos / "4.png").unlink()
    run("--to=Male")
    before = hashes(tmp_path / "out")
    (tmp_path / "out/contact_sheet.png").unlink()
    code, out, _ = run("--to=Male")
    assert code == 0 and "5 were done before" in out
    assert hashes(tmp_path / "out") == before


def test_killed_in_the_middle_and_finished(run, root, export_folder, photos, tmp_path):
    run("--to=Male", "--batch_size=2", f"--output={tmp_path / 'whole'}")
    script = pathlib.Path(__file__).with_name("inference_command.py")
    arguments = [f"--model={export_folder}", f"--input={photos}", "--to=Male", "--batch_size=2"]
    command = [sys.executable, str(script), "translate", "2", *arguments, f"--output={tmp_path / 'out'}"]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert sorted(hashes(tmp_path / "out")) == ["0.png", "1.png"]
    code, out, _ = run("--to=Male", "--batch_size=2")
    assert code == 1 and "3 pictures translated" in out and "2 were done before" in out
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


def test_several_targets_samples_and_masks(run, photos, tmp_path):
    code, _, _ = run(f"--input={photos / '0.png'}", "--to=Male", "--to=-Young", "--samples=2", "--show_mask")
    assert code == 0
    targets = ("Male", "-Young")
    results = {f"0.{target}.sample-{n}.png{kind}" for target in targets for n in (1, 2) for kind in ("", ".mask.png")}
    assert set(hashes(tmp_path / "out")) == results | {"contact_sheet.png"}


def test_interpolation_as_an_animation(run, photos, tmp_path):
    pictures = f"{photos / '0.png'},{photos / '1.png'}"
    code, out, _ = run(f"--input={pictures}", "--interpolate=..Blond_Hair", "--steps=4", "--animate=webp", "--fit=pad")
    assert code == 0 and "in 4 steps from their own style to Blond_Hair" in out and "whole of each picture" in out
    with Image.open(tmp_path / "out" / "1.png.webp") as animation:
        assert animation.n_frames == 6


def test_the_style_of_a_picture_pasted_back(run, photos, tmp_path):
    code, out, _ = run(
        f"--input={photos / '0.png'}", f"--reference={photos / '1.png'}", "--paste_back", "--strength=.5"
    )
    assert code == 0 and "the style of 1.png" in out
    assert Image.open(tmp_path / "out" / "0.png").size == (30, 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of --to, --reference and --interpolate"),
        (["--to=Mael"], "--to: unknown attribute 'Mael'; did you mean Male?"),
        (["--to=Male", "--interpolate=..Young"], "give one of"),
        (["--interpolate=Young"], "--interpolate=Young: write it as from..to"),
        (["--to=Male", "--strength=2"], "--strength=2"),
        (["--to=Male", "--model=/nowhere"], "--model=/nowhere: no such folder"),
        (["--to=Male", "--input=/nowhere"], "--input=/nowhere: no such file"),
        (["--to=Male", "--show_neighbors"], "give the run's folder as --model"),
        (["--reference=/nowhere.jpg"], "--reference=/nowhere.jpg: No such file"),
    ],
)
def test_mistakes_are_one_line_and_code_2_before_anything_is_loaded(run, tmp_path, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and err.count("\n") == 1 and message in err
    assert not run.loaded and not (tmp_path / "out").exists()


def test_nothing_readable_is_a_mistake(run, photos):
    code, out, err = run(f"--input={photos / '4.png'}", "--to=Male")
    assert (code, out) == (2, "") and "no picture could be read" in err


def test_flags_that_are_needed(call):
    assert call(translate, "--input=a", "--output=b")[2] == "translate: --model is missing; give --model=...\n"
