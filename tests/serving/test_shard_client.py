"""Two servers, each with half of a gallery, answer together as one with all of it does."""

import base64
import http.server
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from rgunit_tf.errors import RunError, UserError
from rgunit_tf.serving.shard_client import Shard, ShardClient, rest
from tests import small_exports


@pytest.fixture(scope="module")
def folders(stages, tmp_path_factory):
    """Version folders of the exports of two shards, of unequal size, and of the whole."""
    from rgunit_tf import Gallery, ShardedGallery
    from rgunit_tf.serving.export import export

    whole = stages.gallery
    first = whole.remove(whole.ids[5:].tolist())
    shards = ShardedGallery([first, whole.remove(whole.ids[:5].tolist())])
    assert isinstance(whole, Gallery) and [shard.size for shard in shards.shards] == [5, 7]
    folder = tmp_path_factory.mktemp("shards")
    galleries = {"0": shards.shards[0], "1": shards.shards[1], "whole": whole}
    return {name: export(stages.retrieval, folder / name, gallery) for name, gallery in galleries.items()}


@pytest.fixture(scope="module", params=["cc", "python"])
def servers(request, folders):
    """Two processes, each of which is asked for its shard alone."""
    processes = [small_exports.Server(request.param, folders) for _ in range(2)]
    yield processes
    for process in processes:
        process.close()


def asking(process, name):
    return lambda signature, inputs: process.ask(name, signature, **inputs)


@pytest.fixture
def client(servers, folders):
    return ShardClient(
        [Shard.of_export(asking(servers[number], f"{number}"), folders[f"{number}"]) for number in (0, 1)]
    )


@pytest.mark.parametrize("k", [1, 6, 12])
def test_two_servers_answer_as_one(client, servers, images, attributes, k):
    assert client.size == 12
    expected = servers[0].ask("whole", "retrieve", images=images, attributes=attributes, k=np.int32(k))
    ids, distances = client.retrieve(images=images, attributes=attributes, k=k)
    assert ids.tolist() == [[name.decode() for name in row] for row in expected["ids"]]
    np.testing.assert_allclose(distances, expected["distances"], atol=1e-5)


def test_files(client, images, attributes):
    files = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        files.append(buffer.getvalue())
    by_files = client.retrieve(image_bytes=np.array(files, object), attributes=attributes, k=4)
    by_images = client.retrieve(images=images, attributes=attributes, k=4)
    assert (by_files[0] == by_images[0]).all()


def test_an_excluded_image_is_found_in_no_shard(client, images, attributes):
    everyone, distances = client.retrieve(images=images, attributes=attributes, k=12)
    left_out = [everyone[0, 0], everyone[1, 3], ""]
    ids, nearer = client.retrieve(images=images, attributes=attributes, k=11, exclude_ids=left_out)
    assert ids[0].tolist() == everyone[0, 1:].tolist()
    assert ids[1].tolist() == np.delete(everyone[1], 3).tolist()
    assert ids[2].tolist() == everyone[2, :11].tolist() and (nearer[2] == distances[2, :11]).all()


def test_a_server_that_refuses_says_why(client, images):
    with pytest.raises(small_exports.RequestError, match="numbers from 0 to 1"):
        client.retrieve(images=images, attributes=np.full((3, 5), 7.0, np.float32), k=2)


# Without processes


def answering(ids, distances):
    return lambda signature, inputs: {"ids": np.array([ids]), "distances": np.array([distances], np.float32)}


def test_of_equal_distances_the_earlier_shard_comes_first():
    client = ShardClient([Shard(answering([b"b", b"d"], [1, 2]), 2), Shard(answering([b"a", b"c"], [1, 2]), 2)])
    assert client.retrieve(images=np.zeros((1, 2, 2, 3)), k=4)[0].tolist() == [["b", "a", "d", "c"]]


def test_mistakes():
    client = ShardClient([Shard(answering([b"a"], [1.0]), 1)])
    with pytest.raises(UserError, match="k=2 must be from 1 to 1, the images of all shards"):
        client.retrieve(images=np.zeros((1, 2)), k=2)
    with pytest.raises(UserError, match="k=1 must be from 1 to 0"):
        client.retrieve(images=np.zeros((1, 2)), k=1, exclude_ids=["a"])
    with pytest.raises(UserError, match="2 for 1 questions"):
        client.retrieve(images=np.zeros((1, 2)), k=1, exclude_ids=["a", "b"])
    with pytest.raises(UserError, match="none are given"):
        ShardClient([])


@pytest.fixture
def address():
    """A server that speaks as TensorFlow Serving's REST does, and remembers what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.asked.append((self.path, request))
            good = request["signature_name"] == "retrieve_bytes"
            answer = {"outputs": {"ids": [["é.jpg"]], "distances": [[0.25]]}} if good else {"error": "wrong signature"}
            self.send_response(200 if good else 400)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("localhost", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_rest(address):
    url = f"http://localhost:{address.server_port}/v1/models/retrieval"
    client = ShardClient([Shard(rest(url), 3)])
    attributes = np.array([[0, 1]], np.float32)
    ids, distances = client.retrieve(image_bytes=np.array([b"\x89PNG"], object), attributes=attributes, k=1)
    assert (ids.tolist(), distances.tolist()) == ([["é.jpg"]], [[0.25]])
    ((path, request),) = address.asked
    assert path == "/v1/models/retrieval:predict"
    encoded = {"b64": base64.b64encode(b"\x89PNG").decode()}
    assert request["inputs"] == {"image_bytes": [encoded], "attributes": [[0.0, 1.0]], "k": [1]}
    with pytest.raises(RunError, match="wrong signature"):
        client.retrieve(images=np.zeros((1, 2, 2, 3), np.uint8), k=1)
    with pytest.raises(RunError, match="does not answer as a model server"):
        rest("http://localhost:9/v1/models/retrieval", timeout=5)("retrieve", {})
