"""An AWS on loopback whose answers are bytes: it can hang, drip, break off or send anything."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qs

import boto3
import pytest

from fastlaunch_nb.aws import read_limits

STS = "https://sts.amazonaws.com/doc/2011-06-15/"
EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
_CREDENTIAL = re.compile(r"Credential=AKIA(\d{12})/\d+/([^/]+)/([^/]+)/")


class Request(NamedTuple):
    """A request as AWS sees it."""

    account_id: str
    region: str
    service: str
    action: str
    parameters: dict[str, str]


Chunks: TypeAlias = bytes | Iterable[bytes] | None
"""An answer: bytes; or pieces of it, one after another; or None, to never answer."""
Answer: TypeAlias = Callable[[Request], Chunks]


def build_response(body: str, status: int = 200, head: str = "") -> bytes:
    """Build a whole HTTP response."""
    content = body.encode()
    return (
        f"HTTP/1.1 {status} x\r\nContent-Type: text/xml\r\nDate: Thu, 15 Jan 2026 12:00:00 GMT\r\n"
        f"Content-Length: {len(content)}\r\n{head}\r\n"
    ).encode() + content


def build_page(image_ids: Sequence[str], next_token: str = "") -> bytes:
    """Build a page of DescribeFastLaunchImages."""
    items = "".join(
        f"<item><imageId>{image_id}</imageId><state>enabled</state></item>"
        for image_id in image_ids
    )
    token = f"<nextToken>{next_token}</nextToken>" if next_token else ""
    root = "DescribeFastLaunchImagesResponse"
    return build_response(
        f'<{root} xmlns="{EC2}"><requestId>r-1</requestId>'
        f"<fastLaunchImageSet>{items}</fastLaunchImageSet>{token}</{root}>"
    )


def drip(start: bytes) -> Iterator[bytes]:
    """Yield the start of an answer, and then a byte at a time for ever."""
    yield start
    while True:
        threading.Event().wait(0.01)  # as a slow server does
        yield b"x"


class FakeAWS:
    """The server, its address, and the requests that it got.

    It answers with `answer(request)`, and GetCallerIdentity with `identify(request)`.
    """

    def __init__(self, answer: Answer, identify: Answer) -> None:
        self.answer, self.identify = answer, identify
        self.requests: list[Request] = []
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while (request := _read_request(self.rfile)) is not None:
                    fake.requests.append(request)
                    if not _send(self.connection, fake.reply(request)):
                        return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, block_on_close = True, False
            request_queue_size = 100

            def handle_error(self, *_: Any) -> None:
                """Say nothing of a client that has gone."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def reply(self, request: Request) -> Chunks:
        """Return the answer to a request."""
        is_identity = request.action == "GetCallerIdentity"
        return (self.identify if is_identity else self.answer)(request)

    def __enter__(self) -> FakeAWS:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def identify_caller(request: Request) -> bytes:
    """Answer GetCallerIdentity with the account of the access key."""
    root = "GetCallerIdentityResponse"
    return build_response(
        f'<{root} xmlns="{STS}"><GetCallerIdentityResult><Account>{request.account_id}</Account>'
        f"</GetCallerIdentityResult></{root}>"
    )


class LimitClock:
    """The clock of time limits, which a test moves ahead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = 0.0
        monkeypatch.setattr(read_limits, "time", self)

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move ahead, and let the watchdog look."""
        watchdog = read_limits._WATCHDOG
        with watchdog._changed:
            self._ahead += seconds
            watchdog._changed.notify()


@contextmanager
def run_fake_aws(answer: Answer, identify: Answer = identify_caller) -> Iterator[FakeAWS]:
    """Run a server and lead boto3 to it."""
    with FakeAWS(answer, identify) as fake, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", fake.endpoint_url)
        patch.setenv("NO_PROXY", "*")
        yield fake


def open_sessions(count: int) -> list[boto3.Session]:
    """Open sessions of accounts that have numbers for ids."""
    return [
        boto3.Session(f"AKIA{number:012}", "secret", region_name="us-east-1")
        for number in range(1, count + 1)
    ]


def _read_request(stream: Any) -> Request | None:
    """Return the next request of a connection; None at its end."""
    lines = []
    while (line := stream.readline().decode()) not in ("\r\n", ""):
        lines.append(line)
    if not line:
        return None
    head = {name.lower(): value.strip() for name, _, value in (it.partition(":") for it in lines)}
    body = stream.read(int(head.get("content-length", 0))).decode()
    credential = _CREDENTIAL.search(head.get("authorization", ""))
    assert credential is not None, lines
    parameters = {name: values[0] for name, values in parse_qs(body).items()}
    account_id, region, service = credential.groups()
    return Request(account_id, region, service, parameters.get("Action", ""), parameters)


def _send(connection: socket.socket, answer: Chunks) -> bool:
    """Send an answer; return whether the connection may be used again."""
    if isinstance(answer, bytes):
        connection.sendall(answer)
        return b"\r\nContent-Length: " in answer
    if answer is None:
        connection.recv(1)  # which returns when the client closes the connection
        return False
    for chunk in answer:
        connection.sendall(chunk)
    return False
