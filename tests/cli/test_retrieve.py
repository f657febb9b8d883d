import json

import pytest
from PIL import Image

from rgunit_tf.cli import retrieve


@pytest.fixture
def run(call, export_folder, photos, tmp_path):
    """Runs bin/retrieve to `found`; arguments that are given again replace these."""

    def run(*arguments):
        common = [f"--model={export_folder}", f"--input={photos}", f"--output={tmp_path / 'found'}"]
        given = {str(argument).partition("=")[0] for argument in arguments}
        return call(retrieve, *[word for word in common if word.partition("=")[0] not in given], *arguments)

    run.loaded = call.loaded
    return run


def test_a_sheet_for_a_picture(run, photos, tmp_path):
    sheet = tmp_path / "sheet.png"
    code, out, err = run(f"--input={photos / '0.png'}", "--to=Male", "--top=4", f"--output={sheet}")
    assert (code, err) == (0, "") and "4 pictures for Male found for each of 1" in out
    (record,) = json.loads(sheet.with_suffix(".json").read_text())["results"]
    assert len(record["found"]) == 4 and (tmp_path / record["found"][0]["file"]).exists()
    assert Image.open(sheet).width > 5 * 128


def test_a_folder_with_a_bad_file(run, tmp_path):
    code, out, err = run("--to=Male,-Young", "--top=3")
    assert code == 1 and err.startswith("retrieve: 4.png: skipped") and "1 skipped" in out
    facts = json.loads((tmp_path / "found" / "results.json").read_text())
    assert len(facts["results"]) == 5 and facts["to"] == ["Male", "-Young"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --to once or one --reference"),
        (["--to=Male", "--to=Young"], "give --to once"),
        (["--to=Mael"], "did you mean Male?"),
        (["--reference=a.png"], "an export retrieves by attributes alone"),
        (["--to=Male", "--input=/nowhere"], "--input=/nowhere"),
        (["--to=Male", "--top=0"], "--top=0"),
    ],
)
def test_mistakes_are_one_line_and_code_2_before_anything_is_loaded(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and err.count("\n") == 1 and message in err
    assert not run.loaded


def test_a_model_without_gallery(run, stand_in, schema, tmp_path):
    folder = stand_in.write_export(tmp_path / "other" / "1", schema)
    code, _, err = run("--to=Male", f"--model={folder}")
    assert code == 2 and "has no gallery" in err
