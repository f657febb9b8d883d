import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.errors import UserError
from rgunit_tf.inference import Model
from rgunit_tf.inference.inputs import find_pictures
from rgunit_tf.inference.places import Places
from rgunit_tf.inference.retrieval_job import RetrievalJob


@pytest.fixture
def guided(description, networks, schema):
    return Model(dataclasses.replace(description, kind="workdir", gallery=True), networks(schema))


def run(model, photos, output, changes=("Male",), top=3, **options):
    pictures = find_pictures([str(photos)], output)
    job = RetrievalJob(model, pictures, Places.of(output), changes, top=top, batch_size=2, **options)
    job.run()
    return job


def test_a_sheet_its_facts_and_the_pictures(guided, photos, tmp_path):
    run(guided, photos / "a.jpg", tmp_path / "found" / "sheet.png")
    facts = json.loads((tmp_path / "found" / "sheet.json").read_text())
    (record,) = facts["results"]
    assert record["input"] == "a.jpg" and facts["to"] == ["Male"] and facts["top"] == 3
    assert [entry["rank"] for entry in record["found"]] == [1, 2, 3]
    assert np.all(np.diff([entry["distance"] for entry in record["found"]]) >= 0)
    for entry in record["found"]:
        row = int(entry["id"].removeprefix("set/").removesuffix(".jpg"))
        image = np.asarray(Image.open(tmp_path / "found" / entry["file"]))
        np.testing.assert_array_equal(image, guided.networks.GALLERY[row])
        names = guided.schema.names_of(guided.attributes_of(image[None])[0])
        assert tuple(entry["seen"]) == names
    assert Image.open(tmp_path / "found" / "sheet.png").width > 4 * 128


def test_a_folder(guided, photos, tmp_path):
    job = run(guided, photos, tmp_path / "found")
    assert list(job.failed) == ["broken.jpg"] and len(job.results) == 6
    facts = json.loads((tmp_path / "found" / "results.json").read_text())
    assert facts["skipped"].keys() == {"broken.jpg"}
    assert [record["input"] for record in facts["results"]] == [record["input"] for record in job.results]
    files = {entry["file"] for record in facts["results"] for entry in record["found"]}
    assert len(files) == 18 and all((tmp_path / "found" / file).exists() for file in files)
    assert any(file.startswith("sub/deep/a.webp/1_set_") for file in files)


def test_what_an_earlier_run_found_does_not_stay(guided, photos, tmp_path):
    run(guided, photos, tmp_path / "found")
    run(guided, photos, tmp_path / "found", top=2)
    facts = json.loads((tmp_path / "found" / "results.json").read_text())
    files = {entry["file"] for record in facts["results"] for entry in record["found"]}
    out = tmp_path / "found"
    left = {path.relative_to(out).as_posix() for path in out.rglob("*.png") if path.is_file()}
    assert left == files | {"contact_sheet.png"} and len(files) == 12


def test_without_pictures_ids_alone(guided, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(guided.networks, "gallery_images", lambda ids: None)
    run(guided, photos / "a.jpg", tmp_path / "found")
    (record,) = json.loads((tmp_path / "found" / "results.json").read_text())["results"]
    assert record["found"][0].keys() == {"rank", "id", "distance"}
    assert [path.name for path in (tmp_path / "found").iterdir()] == ["results.json"]


def test_places_that_cannot_be(guided, photos, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UserError, match="is a file; name a folder"):
        Places.of(tmp_path / "file")
    # Results of photos/a.jpg would go to the folder a.jpg/.
    with pytest.raises(UserError, match="choose another --output"):
        run(guided, photos / "a.jpg", photos)
