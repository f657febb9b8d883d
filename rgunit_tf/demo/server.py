"""Serves an application to the browsers of this machine."""

from __future__ import annotations

import ipaddress
import socket

import flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from rgunit_tf.errors import UserError

LOCAL_NAMES = ["127.0.0.1", "localhost", "[::1]"]
"""How this machine calls itself."""


class _Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(host: str, port: int) -> socket.socket:
    """Takes a port; 0 takes a free one.

    Raises:
      UserError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f"--host={host} --port={port}: {error.strerror or error}; give another port, or --port=0 for a free one"
        ) from None


def make(app: flask.Flask, bound: socket.socket) -> BaseWSGIServer:
    """A server on a port that was taken, a thread a request; its `serve_forever` returns when it is interrupted."""
    host, port = bound.getsockname()[:2]
    return make_server(host, port, app, threaded=True, request_handler=_Quiet, fd=bound.fileno())


def url(bound: socket.socket) -> str:
    """The address for a browser on this machine."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
