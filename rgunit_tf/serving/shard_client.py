"""A client of several servers, each with a shard of one gallery: asks them side by side and merges their answers.

It imports no TensorFlow.

    shards = [Shard(rest("http://host0:8501/v1/models/retrieval"), size=12_500_000), ...]
    ids, distances = ShardClient(shards).retrieve(images=images, attributes=attributes, k=10)

The merge is exact: the k nearest of all shards' k nearest, of equal distances those of the shard that stands first in
the list. So shards with exact indexes answer as one server with all of the gallery would.
"""

from __future__ import annotations

import base64
import json
import pathlib
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np

from rgunit_tf.errors import RunError, UserError

Ask = Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]]
"""Sends the inputs of a signature, by name, to a server and gives the outputs; strings are bytes or text."""


class Shard(NamedTuple):
    """A server, and how many images the gallery of its model holds (`gallery.size` of the export's `rgunit.json`)."""

    ask: Ask
    size: int

    @classmethod
    def of_export(cls, ask: Ask, export: pathlib.Path) -> Shard:
        """The server of an export, a version folder."""
        facts = json.loads((export / "assets.extra" / "rgunit.json").read_text(encoding="utf-8"))
        return cls(ask, facts["gallery"]["size"])


class ShardClient:
    """Retrieves from all shards.

    Args:
      shards: one or more, of exports of one retrieval model, each with another part of the gallery.

    Raises:
      UserError: no shards.
    """

    def __init__(self, shards: Sequence[Shard]):
        self.shards = list(shards)
        if not self.shards:
            raise UserError("shards: none are given; name one server or more")
        self.size = sum(shard.size for shard in self.shards)

    def retrieve(
        self, k: int, exclude_ids: Sequence[str] | None = None, **inputs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k images of all shards that are nearest to each of B questions, nearest first.

        Args:
          k: how many.
          exclude_ids: B ids, the image that question b must not find, usually its own; "" excludes none.
          **inputs: of the signature `retrieve` (`images` and `attributes`), or of `retrieve_bytes` (`image_bytes` and
            `attributes`), B rows each.

        Returns:
          (ids, distances): str [B, k]; float32 [B, k].

        Raises:
          UserError: more than all shards hold, or ids that are not as many as the questions.
          RunError: a server does not answer, or refuses.
        """
        count = len(next(iter(inputs.values())))
        if exclude_ids is not None and len(exclude_ids) != count:
            raise UserError(f"exclude_ids: {len(exclude_ids)} for {count} questions; give one each")
        available = self.size - (exclude_ids is not None)
        if not 1 <= k <= available:
            raise UserError(f"k={k} must be from 1 to {available}, the images of all shards that can be found")
        signature = "retrieve_bytes" if "image_bytes" in inputs else "retrieve"

        def ask(shard: Shard) -> dict[str, np.ndarray]:
            wanted = min(k + (exclude_ids is not None), shard.size)
            return shard.ask(signature, {**inputs, "k": np.full(count, wanted, np.int32)})

        with futures.ThreadPoolExecutor(len(self.shards)) as pool:
            answers = list(pool.map(ask, self.shards))
        ids = np.concatenate([_texts(answer["ids"]) for answer in answers], 1)
        distances = np.concatenate([np.asarray(answer["distances"], np.float32) for answer in answers], 1)
        if exclude_ids is not None:
            distances = np.where(ids == np.asarray(exclude_ids, np.str_)[:, None], np.float32(np.inf), distances)
        # Stable: of equals the one of the earlier shard, and within it the one that the shard has first.
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(ids, order, 1), np.take_along_axis(distances, order, 1)


def rest(url: str, timeout: float = 60.0) -> Ask:
    """Asks TensorFlow Serving by REST.

    Args:
      url: of the model, `http://host:8501/v1/models/retrieval`.
      timeout: seconds.
    """

    def ask(signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        columns = {name: _as_json(value) for name, value in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        request = urllib.request.Request(f"{url}:predict", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                outputs = json.load(answer)["outputs"]
        except urllib.error.HTTPError as error:
            raise RunError(f"{url}: {error.read().decode(errors='replace')[:500]}") from None
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"{url} does not answer as a model server ({error}); check its address") from error
        return {name: np.asarray(value) for name, value in outputs.items()}

    return ask


def _as_json(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _texts(ids: np.ndarray) -> np.ndarray:
    """Ids, bytes or text, as text of the same shape; bytes that are no UTF-8 as file names have them."""
    ids = np.asarray(ids, object)
    texts = [name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name for name in ids.ravel()]
    return np.array(texts, np.str_).reshape(ids.shape)
