"""The page and its JSON interface, as a Flask application.

    GET  /                         the page
    GET  /api/model                what the model is, its attributes, the examples
    POST /api/pictures?name=...    a file as the body; says what the model sees in it
    GET  /api/pictures/<id>        the same of a picture that is there
    GET  /api/pictures/<id>.png    its square, as the model takes it
    GET  /api/pictures/<id>.jpg    all of it, no larger than a screen
    POST /api/pictures/<id>        {box: [left, upper, side]}: another square of it, as a picture of its own
    POST /api/targets              {picture}: it with each attribute changed on its own
    POST /api/translation          {picture, attributes, seed}: the translation, its mask and neighbors
    POST /api/way                  the same: images from the picture's own style to the target's
    GET  /api/photograph           the translation in the whole picture; attributes joined by commas

Whatever goes wrong is answered by {"error": one sentence} and a status of 400 or above.
"""

from __future__ import annotations

import http
import pathlib
from collections.abc import Mapping
from typing import Any

import flask
from absl import logging
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from rgunit_tf.demo.pictures import Picture, png
from rgunit_tf.demo.studio import Studio
from rgunit_tf.errors import UserError
from rgunit_tf.inference.description import Description
from rgunit_tf.typed import as_typed

UPLOAD_MB = 25
"""Largest file that is taken."""

# The page loads nothing from elsewhere and runs no script but its own.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def create_app(studio: Studio, trusted_hosts: list[str] | None = None) -> flask.Flask:
    """Makes the application.

    Args:
      studio: what computes.
      trusted_hosts: names under which the server may be asked; None: any. A page of the internet that resolves its own
        name to this machine is so kept from using the model.
    """
    app = flask.Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=UPLOAD_MB * 2**20, TRUSTED_HOSTS=trusted_hosts)
    app.json.sort_keys = False
    _add_pages(app)
    _add_pictures(app, studio)
    _add_translations(app, studio)
    _add_errors(app)
    return app


def _add_pages(app: flask.Flask) -> None:
    @app.get("/")
    def page() -> str:
        return flask.render_template("index.html", upload_mb=UPLOAD_MB)

    @app.after_request
    def guard(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        # Another server may be at this address tomorrow.
        response.headers["Cache-Control"] = "no-store"
        return response


def _add_pictures(app: flask.Flask, studio: Studio) -> None:
    def described(key: str) -> dict[str, Any]:
        picture = studio.picture(key)
        return {
            "id": key,
            "name": picture.name,
            "seen": list(picture.seen),
            "size": list(picture.frame.size),
            "cropped": not picture.frame.whole,
            "box": list(picture.frame.box),
            "unlike": _unlike(picture),
        }

    @app.get("/api/model")
    def model() -> dict[str, Any]:
        description = studio.description
        return {
            "name": _name(description),
            "stage": description.stage,
            "image_size": description.image_size,
            "attributes": studio.schema.to_dict(),
            "categorical": studio.schema.categorical,
            "guided": description.neighbors > 0,
            "steps": studio.steps,
            "examples_from": studio.examples_from,
            "examples": [described(key) for key in studio.shelf.examples],
        }

    @app.post("/api/pictures")
    def upload() -> dict[str, Any]:
        encoded = flask.request.get_data(cache=False)
        if not encoded:
            raise UserError("This file is empty; choose another picture.")
        # It becomes the name of a download.
        name = "".join(filter(str.isprintable, flask.request.args.get("name", "")))[-100:]
        return described(studio.look(name or "picture", encoded))

    @app.get("/api/pictures/<key>")
    def picture(key: str) -> dict[str, Any]:
        return described(key)

    @app.get("/api/pictures/<key>.png")
    def square(key: str) -> flask.Response:
        return flask.Response(png(studio.picture(key).square), mimetype="image/png")

    @app.get("/api/pictures/<key>.jpg")
    def whole(key: str) -> flask.Response:
        return flask.Response(studio.whole(studio.picture(key)), mimetype="image/jpeg")

    @app.post("/api/pictures/<key>")
    def cut(key: str) -> dict[str, Any]:
        asked = flask.request.get_json()
        box = asked.get("box") if isinstance(asked, Mapping) else None
        if not isinstance(box, list) or len(box) != 3 or not all(type(edge) is int for edge in box):
            raise UserError("box must be three whole numbers: left, upper and side, pixels of the picture.")
        return described(studio.cut(studio.picture(key), tuple(box)))


def _add_translations(app: flask.Flask, studio: Studio) -> None:
    @app.post("/api/targets")
    def targets() -> dict[str, Any]:
        return studio.targets(_question(studio, flask.request.get_json())[0])

    @app.post("/api/translation")
    def translation() -> dict[str, Any]:
        return studio.translate(*_question(studio, flask.request.get_json()))

    @app.post("/api/way")
    def way() -> dict[str, Any]:
        return {"images": studio.way(*_question(studio, flask.request.get_json()))}

    @app.get("/api/photograph")
    def photograph() -> flask.Response:
        asked: dict[str, Any] = flask.request.args.to_dict()
        asked["attributes"] = [name for name in asked.get("attributes", "").split(",") if name]
        try:
            asked["seed"] = int(asked["seed"]) if asked.get("seed") else None
            strength = float(asked.get("strength", 1.0))
        except ValueError:
            raise UserError("seed must be a whole number and strength a number.") from None
        picture, names, seed = _question(studio, asked)
        response = flask.Response(studio.photograph(picture, names, seed, strength), mimetype="image/jpeg")
        stem = pathlib.PurePath(picture.name).stem or "picture"
        response.headers.set("Content-Disposition", "attachment", filename=f"{stem}.translated.jpg")
        return response


def _add_errors(app: flask.Flask) -> None:
    @app.errorhandler(UserError)
    def mistake(error: UserError) -> tuple[dict[str, str], int]:
        return {"error": str(error)}, http.HTTPStatus.BAD_REQUEST

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(error: RequestEntityTooLarge) -> tuple[dict[str, str], int]:
        return {"error": f"This file is larger than {UPLOAD_MB} MB; choose a smaller one."}, error.code

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[dict[str, str], int]:
        return {"error": error.description or error.name}, error.code or http.HTTPStatus.INTERNAL_SERVER_ERROR

    @app.errorhandler(Exception)
    def failed(error: Exception) -> tuple[dict[str, str], int]:
        logging.error("%s %s", flask.request.method, flask.request.path, exc_info=error)
        sentence = as_typed("The model could not do this; the reason is in the terminal of bin/demo.")
        return {"error": sentence}, http.HTTPStatus.INTERNAL_SERVER_ERROR


def _question(studio: Studio, asked: Any) -> tuple[Picture, list[str], int | None]:
    """What is asked of a translation: the picture, the attributes that shall hold, the seed."""
    if not isinstance(asked, Mapping):
        raise UserError("The request must be a JSON object.")
    names, seed = asked.get("attributes", []), asked.get("seed")
    if not isinstance(names, list) or not all(isinstance(name, str) and name in studio.schema.names for name in names):
        raise UserError(f"attributes must be a list of some of {', '.join(studio.schema.names)}.")
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**31):
        raise UserError("seed must be a whole number from 0 to 2147483647.")
    return studio.picture(asked.get("picture")), names, seed


def _unlike(picture: Picture) -> str | None:
    """What is to be said of a picture that is unlike those of the training."""
    if picture.unlikeness is None or picture.unlikeness <= 1.0:
        return None
    return (
        "This picture is unlike those that the model was trained on: its content is "
        f"{picture.unlikeness:.1f} times as far from its gallery's as that of 99 % of real test pictures at most. "
        "Expect a poor translation; another square of it may do better."
    )


def _name(description: Description) -> str:
    """The folder's name; the version folder of an export says nothing without the ones above it."""
    return "/".join(description.path.resolve().parts[-1 if description.kind == "workdir" else -3 :])
