"""Accounts without images to show: an empty one, and some that refuse every read.

Each is the profile :data:`PROFILE`, for any boto3 on this machine, also in a kernel.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs

import pytest

import fastlaunch_nb as fl

PROFILE, REGION = "mine", "us-east-1"
EMPTY = "444455556666"  # the demo's sandbox, which has no image
_CALLER = "arn:aws:iam::444455556666:user/reader"


class _Refusal(BaseHTTPRequestHandler):
    """An AWS that names the caller and refuses everything else, in the service's own format."""

    code: ClassVar[str | None] = None  # if set, the error code of all requests

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_POST(self) -> None:
        """Answer a request."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        service = self.headers["Authorization"].split("/")[3]
        target = self.headers.get("X-Amz-Target")
        action = target.rpartition(".")[2] if target else parse_qs(body)["Action"][0]
        if action == "GetCallerIdentity" and not self.code:
            self._answer(200, "text/xml", _IDENTITY)
        else:
            message = f"User: {_CALLER} is not authorized to perform: {service}:{action}"
            self._answer(403, *_format_error(service, target, self.code, message))

    def _answer(self, status: int, content_type: str, text: str) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", content_type),
            ("Content-Length", str(len(text))),
            ("x-amzn-RequestId", "r-1"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())


_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_IDENTITY = f"""<GetCallerIdentityResponse xmlns="{_STS}"><GetCallerIdentityResult>
<Arn>{_CALLER}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{EMPTY}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


def _format_error(
    service: str, target: str | None, code: str | None, message: str
) -> tuple[str, str]:
    """Return the content type and the body of a service's error response."""
    if target:
        code = code or "AccessDeniedException"
        return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    code = code or ("UnauthorizedOperation" if service == "ec2" else "AccessDenied")
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    if service == "ec2":
        error = f"<Response><Errors>{error}</Errors><RequestID>r-1</RequestID></Response>"
    else:
        error = f'<ErrorResponse xmlns="{_STS}">{error}</ErrorResponse>'
    return "text/xml", error


@contextmanager
def refusing(folder: Path, code: str | None = None) -> Iterator[None]:
    """Point the profile to an account that denies every read, or answers all with this code."""
    handler = type("Handler", (_Refusal,), {"code": code})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        keys = "aws_access_key_id = x\naws_secret_access_key = x\n"
        try:
            with _write_profile(folder, f"http://127.0.0.1:{server.server_port}", keys):
                yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def empty(folder: Path) -> Iterator[None]:
    """Point the profile to the demo's account without images."""
    with fl.demo() as demo:
        role = f"role_arn = arn:aws:iam::{EMPTY}:role/demo\nsource_profile = keys\n"
        keys = demo.session.get_credentials()
        source = (
            "[profile keys]\n"
            f"aws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
        )
        with _write_profile(folder, demo.endpoint_url, f"{role}\n{source}"):
            yield


@contextmanager
def _write_profile(folder: Path, endpoint_url: str, settings: str) -> Iterator[None]:
    config = folder / "aws-config"
    common = f"region = {REGION}\nendpoint_url = {endpoint_url}\n"
    config.write_text(f"[profile {PROFILE}]\n{common}{settings}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_CONFIG_FILE", str(config))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "none"))
        patch.setenv("NO_PROXY", "*")
        yield
