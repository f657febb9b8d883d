import io

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.demo.app import UPLOAD_MB


@pytest.fixture
def key(client, picture):
    return client.post("/api/pictures?name=a/photo.jpg", data=picture(90, 60, "JPEG")).json["id"]


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/")
    assert page.status_code == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"]
    for name in ("demo.css", "demo.js", "icon.svg"):
        assert f"/static/{name}" in page.text
    for name in ("demo.css", "demo.js", "ask.js", "attributes.js", "crop.js", "result.js", "tiles.js", "icon.svg"):
        text = client.get(f"/static/{name}").text.replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text and text
    assert "://" not in page.text


def test_what_the_model_is(client, schema):
    model = client.get("/api/model").json
    assert (model["stage"], model["image_size"], model["guided"], model["categorical"]) == ("guided", 16, True, False)
    assert model["attributes"] == schema.to_dict()
    assert [example["name"] for example in model["examples"]] == ["set/one.png", "two.png"]


def test_an_uploaded_picture_is_described_and_shown(client, studio, key):
    described = client.get(f"/api/pictures/{key}").json
    assert described.pop("unlike") is None
    assert described.pop("seen") == list(studio.picture(key).seen)
    assert described == {"id": key, "name": "a/photo.jpg", "size": [90, 60], "cropped": True, "box": [15, 0, 75, 60]}
    square = client.get(f"/api/pictures/{key}.png")
    assert square.mimetype == "image/png" and Image.open(io.BytesIO(square.data)).size == (16, 16)


def test_another_square_of_a_picture_is_a_picture_of_its_own(client, studio, key):
    whole = client.get(f"/api/pictures/{key}.jpg")
    assert whole.mimetype == "image/jpeg" and Image.open(io.BytesIO(whole.data)).size == (90, 60)
    cut = client.post(f"/api/pictures/{key}", json={"box": [70, -4, 30]}).json
    assert cut["box"] == [60, 0, 90, 30] and cut["id"] != key
    assert not np.array_equal(studio.picture(cut["id"]).square, studio.picture(key).square)
    for body in ({}, [], {"box": [1, 2]}, {"box": [1, 2, "3"]}, {"box": [1, 2, 3.5]}, {"box": [True, 2, 3]}):
        answer = client.post(f"/api/pictures/{key}", json=body)
        assert answer.status_code == 400 and answer.json["error"].startswith("box must be three whole numbers")


def test_a_picture_unlike_those_of_the_training_is_told(client, studio, picture, monkeypatch):
    monkeypatch.setattr(studio.model, "unlikeness_of", lambda images: np.array([1.52]))
    answer = client.post("/api/pictures?name=astronaut.png", data=picture(seed=30)).json
    assert "unlike those that the model was trained on" in answer["unlike"] and " 1.5 times " in answer["unlike"]
    monkeypatch.setattr(studio.model, "unlikeness_of", lambda images: np.array([0.99]))
    assert client.post("/api/pictures?name=face.png", data=picture(seed=31)).json["unlike"] is None


def test_all_targets_at_once(client, studio, key):
    assert client.post("/api/targets", json={"picture": key}).json == studio.targets(studio.picture(key))
    assert client.post("/api/targets", json={"picture": "gone"}).status_code == 400


def test_translations_and_the_way(client, studio, key):
    asked = {"picture": key, "attributes": ["Male"], "seed": 5}
    answer = client.post("/api/translation", json=asked)
    assert answer.status_code == 200 and answer.json == studio.translate(studio.picture(key), ["Male"], 5)
    way = client.post("/api/way", json=asked).json["images"]
    assert len(way) == studio.steps and way[-1] == answer.json["image"]


def test_the_photograph_is_a_file(client, studio, key):
    answer = client.get(f"/api/photograph?picture={key}&attributes=Male,Young&seed=&strength=0.5")
    assert answer.mimetype == "image/jpeg"
    assert answer.headers["Content-Disposition"] == "attachment; filename=photo.translated.jpg"
    assert answer.data == studio.photograph(studio.picture(key), ["Male", "Young"], None, 0.5)


def test_names_of_any_kind_become_names_of_downloads(client, picture):
    for name in ("Kätzchen\r\nX-Y: z.jpg", "x" * 5000, "", "..", "/etc/"):
        key = client.post("/api/pictures", query_string={"name": name}, data=picture(seed=len(name) + 10)).json["id"]
        answer = client.get(f"/api/photograph?picture={key}&attributes=Male")
        assert answer.status_code == 200 and "X-Y" not in answer.headers
        assert answer.headers["Content-Disposition"].startswith("attachment; filename")
        assert len(answer.headers["Content-Disposition"]) < 400


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"picture": "gone"}, "This picture is no longer here; choose it again."),
        ({"picture": None}, "This picture is no longer here"),
        ({"picture": ["x"]}, "This picture is no longer here"),
        ({"attributes": ["Mael"]}, "attributes must be a list of some of Black_Hair,"),
        ({"attributes": "Male"}, "attributes must be a list"),
        ({"attributes": [{}]}, "attributes must be a list"),
        ({"attributes": ["Black_Hair", "Blond_Hair"]}, "exclude each other"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"seed": 2**31}, "seed must be a whole number"),
        ({"seed": "1"}, "seed must be a whole number"),
    ],
)
@pytest.mark.parametrize("path", ["/api/translation", "/api/way"])
def test_mistakes_are_one_sentence(client, key, path, change, message):
    answer = client.post(path, json={"picture": key, "attributes": [], "seed": None, **change})
    assert answer.status_code == 400 and message in answer.json["error"] and "\n" not in answer.json["error"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("seed=x", "seed must be a whole number and strength a number"),
        ("strength=x", "strength a number"),
        ("strength=2", "strength=2.0 must be from 0"),
        ("strength=nan", "strength=nan must be from 0"),
        ("attributes=Mael", "attributes must be"),
        ("picture=gone", "no longer here"),
    ],
)
def test_mistakes_about_photographs(client, key, query, message):
    fields = dict([("picture", key), query.split("=")])
    answer = client.get("/api/photograph", query_string=fields)
    assert answer.status_code == 400 and message in answer.json["error"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(b"{", "application/json", 400), (b"[]", "application/json", 400), (b"{}", "text/plain", 415)],
)
def test_requests_that_are_no_questions(client, body, kind, status):
    answer = client.post("/api/translation", data=body, content_type=kind)
    assert answer.status_code == status and answer.json["error"]


def test_bad_uploads(client, picture):
    for encoded in (b"", b"no picture", picture(kind="JPEG")[:200]):
        answer = client.post("/api/pictures", data=encoded)
        assert answer.status_code == 400 and answer.json["error"].endswith(".")
    answer = client.post("/api/pictures", data=bytes(UPLOAD_MB * 2**20 + 1))
    assert answer.status_code == 413 and answer.json["error"].startswith(f"This file is larger than {UPLOAD_MB} MB")
    assert client.get("/api/model").status_code == 200


def test_only_so_many_uploads_are_kept(client, studio, picture):
    keys = [client.post("/api/pictures", data=picture(seed=9 + n)).json["id"] for n in range(studio.shelf.room + 1)]
    assert [client.get(f"/api/pictures/{key}").status_code for key in keys[:2]] == [400, 200]
    assert client.get("/api/model").json["examples"][0]["name"] == "set/one.png"


def test_what_breaks_inside_is_a_sentence_too_and_the_next_request_works(client, studio, key, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(studio.model.networks, "translate", lambda *inputs: 1 / 0)
        answer = client.post("/api/translation", json={"picture": key, "attributes": []})
    assert answer.status_code == 500 and "the reason is in the terminal" in answer.json["error"]
    assert client.post("/api/translation", json={"picture": key, "attributes": []}).status_code == 200


def test_pages_of_other_names_and_paths_are_refused(client):
    assert client.get("/api/model", headers={"Host": "elsewhere.example"}).status_code == 400
    assert client.get("/api/nothing").json["error"]
    assert client.get("/static/../app.py").status_code == 404
