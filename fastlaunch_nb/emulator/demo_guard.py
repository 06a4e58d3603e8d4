"""The guard of the demo: it refuses foreign access keys, and answers of a demo that was emptied.

So credentials that are meant for AWS get an error here, and no rows. moto's ``mock_aws`` empties
every backend of the process, and an empty answer would look like a fleet without images.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sts.models import sts_backends

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d+/[^/]*/([^/]+)/")
_FOREIGN = "The demo accepts its own access key only, and these credentials are not the demo's."
_EMPTIED = (
    "moto's mock_aws has emptied the demo. Use one of them at a time, and start the demo again."
)
_MARK = "_is_demo"  # an attribute of a backend, which is lost when moto resets it


def mark_backends() -> None:
    """Mark the emulator as the demo's, until moto resets it."""
    setattr(sts_backends[DEFAULT_ACCOUNT_ID]["aws"], _MARK, True)


class DemoGuard:
    """A WSGI application that refuses requests signed with other keys than `access_key`.

    Requests without a signature pass. Those of roles that were assumed in the demo do as well.
    """

    def __init__(self, application: WSGIApplication, access_key: str) -> None:
        self._application = application
        self._access_key = access_key

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        credential = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        message = None
        if credential and not getattr(sts_backends[DEFAULT_ACCOUNT_ID]["aws"], _MARK, False):
            message = _EMPTIED
        elif credential and not self._is_known(credential[1]):
            message = _FOREIGN
        if credential is None or message is None:
            return self._application(environ, start)
        status, content_type, text = _write_refusal(
            message, credential[2], environ.get("CONTENT_TYPE", "")
        )
        body = text.encode()
        start(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    def _is_known(self, access_key: str) -> bool:
        return access_key == self._access_key or any(
            role.access_key_id == access_key
            for _, _, backend in sts_backends.iter_backends()
            for role in getattr(backend, "assumed_roles", ())
        )


def _write_refusal(message: str, service: str, content_type: str) -> tuple[str, str, str]:
    """Return the status, the content type and the body of AWS's answer to unknown keys."""
    if "json" in content_type:
        body = json.dumps({"__type": "UnrecognizedClientException", "message": message})
        return "400 Bad Request", content_type, body
    message = escape(message)
    if service == "ec2":
        error = f"<Error><Code>AuthFailure</Code><Message>{message}</Message></Error>"
        body = f"<Response><Errors>{error}</Errors><RequestID>demo</RequestID></Response>"
        return "401 Unauthorized", "text/xml", body
    if service == "s3":
        body = f"<Error><Code>InvalidAccessKeyId</Code><Message>{message}</Message></Error>"
        return "403 Forbidden", "application/xml", body
    error = f"<Error><Code>InvalidClientTokenId</Code><Message>{message}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>demo</RequestId></ErrorResponse>"
    return "403 Forbidden", "text/xml", body
