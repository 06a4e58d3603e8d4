"""An AWS on this machine that records which key signs which request, and for which host."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

ROLE_KEY = "ASIAROLEROLEROLEROLE"
"""The access key of every role."""
ACCOUNT = "123456789012"
_SCOPE = re.compile(r"Credential=(?P<key>\w+)/\d+/(?P<region>[\w-]+)/(?P<service>[\w-]+)/")
_EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"


class Request(NamedTuple):
    """A request: the service and region that it is signed for, by which key, and to which host."""

    service: str
    region: str
    key: str
    host: str
    action: str


class RecordingAws:
    """Requests in the order in which they came; roles are valid for some hours from now."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.role_hours = 1.0

    def list_actions(self, *services: str) -> list[str]:
        """Return the actions of the requests to services."""
        return [request.action for request in self.requests if request.service in services]

    def answer(self, action: str) -> str:
        """Return the XML that answers an action."""
        answers: dict[str, Callable[[], str]] = {
            "AssumeRole": self._assume_role,
            "GetCallerIdentity": lambda: (
                f"<GetCallerIdentityResponse xmlns='{_STS}'><GetCallerIdentityResult>"
                f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
                "</GetCallerIdentityResponse>"
            ),
            "GET": lambda: "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
            "PUT": str,
        }
        empty = f"<{action}Response xmlns='{_EC2}'><requestId>1</requestId></{action}Response>"
        return answers.get(action, lambda: empty)()

    def _assume_role(self) -> str:
        end = datetime.now(UTC) + timedelta(hours=self.role_hours)
        return (
            f"<AssumeRoleResponse xmlns='{_STS}'><AssumeRoleResult><Credentials>"
            f"<AccessKeyId>{ROLE_KEY}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
            f"<SessionToken>token</SessionToken><Expiration>{end.isoformat()}</Expiration>"
            "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        )


@contextmanager
def serve_recording_aws(
    wrap: Callable[[Any], Any] | None = None,
) -> Iterator[tuple[RecordingAws, str]]:
    """Serve an AWS; yield it and its host and port. `wrap` may add TLS to its socket."""
    aws = RecordingAws()

    class Handler(BaseHTTPRequestHandler):
        """Records and answers requests, also those to other hosts that come as to a proxy."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("latin-1")
            found = re.search(r"(?:^|&)Action=(\w+)", body)
            self._answer(found[1] if found else self.command)

        def _answer(self, action: str) -> None:
            scope = _SCOPE.search(self.headers.get("Authorization") or "")
            signed = scope.groupdict() if scope else {"service": "", "region": "", "key": ""}
            host = urlsplit(self.path).netloc or str(self.headers["Host"])
            aws.requests.append(Request(host=host, action=action, **signed))
            content = aws.answer(action).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  the base class's
            """Log nothing."""

    for method in ("GET", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.do_POST)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if wrap:
        server.socket = wrap(server.socket)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield aws, f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
