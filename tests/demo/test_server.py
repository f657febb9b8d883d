import json
import urllib.request

import pytest

from rgunit_tf.demo import server
from rgunit_tf.errors import UserError


def test_it_answers_at_its_address(address):
    with urllib.request.urlopen(f"{address}api/model") as answer:
        assert json.load(answer)["stage"] == "guided"


def test_a_taken_port_is_named():
    with server.bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        assert server.url(bound) == f"http://127.0.0.1:{port}/"
        with pytest.raises(UserError, match=f"--port={port}: .*; give another port"):
            server.bind("127.0.0.1", port)


def test_every_address_is_shown_as_this_machine():
    with server.bind("0.0.0.0", 0) as bound:
        assert server.url(bound).startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("example.org", False)],
)
def test_who_can_reach_an_address(host, local):
    assert server.is_local(host) is local
