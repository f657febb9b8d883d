"""Using a trained model: translate and retrieve pictures with a run's stage or with an export of it.

    from rgunit_tf import inference

    model = inference.load("runs/avatars")                       # or .../guided, or .../export, or .../export/1
    result = model.translate(images, ["Blond_Hair", "-Young"])   # uint8 [B, H, W, 3] in
    result.images, result.masks                                  # uint8 [V, B, H, W, 3], float32 [V, B, H, W, 1]
    found = model.retrieve(images, ["Black_Hair"], k=10)
    found.ids, found.distances, found.images

    square, frame = inference.read_square(path.read_bytes(), model.image_size)      # any picture -> what models take
    inference.paste_back(inference.upright(data), square, result.images[0, 0], result.masks[0, 0], frame)

`describe` says what a model is without loading it, and without TensorFlow. Names are imported when first used.
"""

from __future__ import annotations

from rgunit_tf.lazy import attach

_HOMES = {
    "Description": "description",
    "Frame": "frames",
    "Model": "model",
    "Retrieved": "model",
    "Translation": "model",
    "describe": "description",
    "load": "model",
    "paste_back": "paste",
    "read_square": "frames",
    "upright": "frames",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
