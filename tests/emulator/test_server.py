"""The emulator's HTTP server."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from fastlaunch_nb.emulator.server import Server
from tests.helpers.samples import REGION


def test_an_answer_has_one_date_header() -> None:
    """An answer over HTTP has one Date header, not moto's and the server's."""
    server = Server()
    try:
        assert server.endpoint_url.startswith("http://127.0.0.1:")
        body = b"Action=DescribeFastLaunchImages&Version=2016-11-15"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260115/{REGION}/ec2/aws4_request",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        request = urllib.request.Request(server.endpoint_url, body, headers)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            assert len(answer.headers.get_all("Date")) == 1
    finally:
        server.stop()


@pytest.mark.parametrize("host", ["", " ", None])
def test_an_empty_host_is_refused(host: Any) -> None:
    """No address is an error, as a socket takes it for every address of this machine."""
    with pytest.raises(ValueError, match=f"host is {host!r}. Expected an address"):
        Server(host=host)
