"""A fast stub of EC2 and STS, in a process of its own.

It answers on loopback, after a delay, in their wire form, and keeps connections
open. The emulator is exact but slow: a benchmark would measure the emulator.
``python -m benchmarks.replay`` starts it, until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import cache, lru_cache
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl
from zlib import crc32

REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1"),
    *("ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2"),
    *("ap-northeast-3", "eu-south-1", "me-central-1", "ap-southeast-3"),
)
_EC2, _STS = "http://ec2.amazonaws.com/doc/2016-11-15/", "https://sts.amazonaws.com/doc/2011-06-15/"


class Counts(NamedTuple):
    """The numbers of connections and calls so far."""

    connections: int
    calls: int


class Replay:
    """A server at `url`, while a ``with`` block lasts.

    Parameters
    ----------
    delay : float, default 0
        Seconds until it answers.
    regions : int, default 17
        How many an account has.
    images : int, default 1
        How many a region of an account has, where it has any.
    every : int, default 1
        One in so many regions of accounts has any.
    hung : str, optional
        A region that never answers requests for images.
    """

    def __init__(
        self,
        *,
        delay: float = 0,
        regions: int = 17,
        images: int = 1,
        every: int = 1,
        hung: str = "",
    ) -> None:
        parameters = {"delay": delay, "regions": regions, "images": images, "every": every}
        options = [f"--{name}={value}" for name, value in {**parameters, "hung": hung}.items()]
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "benchmarks.replay", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # its input ends, and so does it

    def counts(self) -> Counts:
        """Return what it has seen so far."""
        assert self._process.stdin is not None  # noqa: S101  for mypy
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Counts(*json.loads(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None  # noqa: S101  for mypy
        return self._process.stdout.readline().strip()


# --- the server -----------------------------------------------------------------------


async def _serve(options: Namespace) -> None:
    """Say where it listens; then, for each line of the input, what it has seen."""
    seen = [0, 0]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(loop, options, seen), "127.0.0.1", 0, backlog=1024
    )
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(seen), flush=True)


class _Connection(asyncio.Protocol):
    """One connection: requests in, answers out, after the delay."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, options: Namespace, seen: list[int]
    ) -> None:
        self._loop = loop
        self._options = options
        self._seen = seen
        self._waiting = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._seen[0] += 1

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        head, found, rest = self._waiting.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        size = int(headers.get(b"content-length", 0))
        if found and len(rest) >= size:
            self._waiting = rest[size:]
            self._seen[1] += 1
            answer = _answer(headers, rest[:size], self._options)
            if answer:
                self._loop.call_later(self._options.delay, self._transport.write, answer)


def _answer(headers: dict[bytes, bytes], form: bytes, options: Namespace) -> bytes:
    body = answer(headers[b"authorization"].decode(), form, options)
    if not body:
        return b""
    lines = (
        "HTTP/1.1 200 OK",
        "Content-Type: text/xml;charset=UTF-8",
        f"Date: {formatdate(usegmt=True)}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", body]).encode()


# --- what it answers ------------------------------------------------------------------


def answer(authorization: str, form: bytes, options: Namespace) -> str:
    """Return the body of the answer to a signed request; empty for the region that hangs."""
    parameters = dict(parse_qsl(form.decode()))
    key, _, region, *_ = authorization.lower().split("credential=")[1].split("/")
    if region == options.hung and parameters["Action"] == "DescribeFastLaunchImages":
        return ""
    return _ANSWERS[parameters["Action"]](parameters, f"{key}/{region}", options)


def _images(parameters: dict[str, str], place: str, options: Namespace) -> str:
    first, size = int(parameters.get("NextToken", 0)), int(parameters.get("MaxResults", 200))
    images = 0 if crc32(place.encode()) % options.every else options.images
    return page(first, min(first + size, images), images)


@lru_cache(64)
def page(first: int, end: int, images: int) -> str:
    """Return a page of images as EC2 sends it, from the first to before the end of so many."""
    items = "".join(map(_item, range(first, end)))
    token = f"<nextToken>{end}</nextToken>" if end < images else ""
    listed = f"<fastLaunchImageSet>{items}</fastLaunchImageSet>{token}"
    return _ec2("DescribeFastLaunchImages", listed)


def _item(number: int) -> str:
    return (
        f"<item><imageId>ami-{number:017x}</imageId><resourceType>snapshot</resourceType>"
        "<snapshotConfiguration><targetResourceCount>5</targetResourceCount>"
        "</snapshotConfiguration><launchTemplate>"
        f"<launchTemplateId>lt-{number % 9:017x}</launchTemplateId>"
        f"<launchTemplateName>runner-{number % 9}</launchTemplateName><version>1</version>"
        "</launchTemplate><maxParallelLaunches>6</maxParallelLaunches>"
        "<ownerId>123456789012</ownerId><state>enabled</state>"
        "<stateTransitionReason>Client.UserInitiated - Lifecycle operation</stateTransitionReason>"
        f"<stateTransitionTime>2026-01-15T{number % 24:02}:00:00.123Z</stateTransitionTime></item>"
    )


def _regions(_parameters: dict[str, str], _place: str, options: Namespace) -> str:
    return _region_list(options.regions)


@cache
def _region_list(number: int) -> str:
    items = "".join(
        f"<item><regionName>{name}</regionName><regionEndpoint>ec2.{name}.amazonaws.com"
        "</regionEndpoint><optInStatus>opt-in-not-required</optInStatus></item>"
        for name in REGIONS[:number]
    )
    return _ec2("DescribeRegions", f"<regionInfo>{items}</regionInfo>")


def _ec2(action: str, members: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{_EC2}">'
        f"<requestId>fa571a00-0000-4000-8000-000000000000</requestId>{members}</{action}Response>"
    )


def _identity(_parameters: dict[str, str], _place: str, _options: Namespace) -> str:
    arn = "arn:aws:iam::123456789012:user/bench"
    members = f"<Arn>{arn}</Arn><UserId>AIDAREPLAY</UserId><Account>123456789012</Account>"
    return _sts("GetCallerIdentity", members)


def _role(parameters: dict[str, str], _place: str, _options: Namespace) -> str:
    """Answer AssumeRole; the key has the account id, so that each account has images of its own."""
    account = parameters["RoleArn"].split(":")[4]
    until = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    return _sts(
        "AssumeRole",
        f"<AssumedRoleUser><Arn>{parameters['RoleArn']}/bench</Arn><AssumedRoleId>AROAREPLAY:bench"
        f"</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>ASIA{account}</AccessKeyId>"
        "<SecretAccessKey>replay</SecretAccessKey><SessionToken>replay</SessionToken>"
        f"<Expiration>{until}</Expiration></Credentials>",
    )


def _sts(action: str, members: str) -> str:
    return (
        f'<{action}Response xmlns="{_STS}"><{action}Result>{members}</{action}Result>'
        "<ResponseMetadata><RequestId>fa571a00-0000-4000-8000-000000000000</RequestId>"
        f"</ResponseMetadata></{action}Response>"
    )


_ANSWERS: dict[str, Callable[[dict[str, str], str, Namespace], str]] = {
    "AssumeRole": _role,
    "DescribeFastLaunchImages": _images,
    "DescribeRegions": _regions,
    "GetCallerIdentity": _identity,
}


def _options() -> Namespace:
    parser = ArgumentParser(description="Answer as EC2 and STS do, until the input ends.")
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--hung", default="")
    for name, default in (("regions", 17), ("images", 1), ("every", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
