"""The guard of the demo: who may send requests, to which services, and with which keys.

A page in a browser must not reach the demo, even if its name leads to this machine: some of
moto's services start programs. Credentials that are meant for AWS get an error, and no rows.
moto's ``mock_aws`` empties every backend of the process, and an empty answer would look like a
fleet without images.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from xml.sax.saxutils import escape

from moto.sts.models import sts_backends
from werkzeug.wrappers import Response

from fastlaunch_nb.emulator.control_api import PREFIX, refuse
from fastlaunch_nb.emulator.moto_extension import has_mark
from fastlaunch_nb.emulator.rest_json_api import CREDENTIAL, make_error_response
from fastlaunch_nb.emulator.rest_json_api import SERVICES as REST_JSON_SERVICES

SERVICES: Final = REST_JSON_SERVICES | {
    "autoscaling",
    "ec2",
    "kms",
    "monitoring",  # CloudWatch
    "organizations",
    "s3",
    "servicequotas",
    "sts",
}
"""Services of the demo, by the names with which requests are signed."""
_FOREIGN = "The demo accepts its own access key only, and these credentials are not the demo's."
_EMPTIED = (
    "moto's mock_aws has emptied the demo. Use one of them at a time, and start the demo again."
)


class DemoGuard:
    """A WSGI application that passes on the requests that the demo answers.

    It accepts one access key, and those of roles that were assumed in the demo. Requests may
    name the host to listen on, any IP address, or ``localhost``.
    """

    def __init__(self, application: WSGIApplication, access_key: str, host: str) -> None:
        self._application = application
        self._known_keys = {access_key}
        self._hosts = {host, "localhost"}

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        refusal = self._check_sender(environ) or self._check_signature(environ)
        return (refusal or self._application)(environ, start)

    def _check_sender(self, environ: WSGIEnvironment) -> Response | None:
        """Refuse requests of other pages in a browser, and those to another name."""
        host, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN")
        if (
            environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site")
            or (origin is not None and urlsplit(origin).netloc != host)
            or not self._is_own_host(urlsplit(f"//{host}").hostname or "")
        ):
            return refuse("403 Forbidden", "Pages and hosts other than the demo's are refused.")
        return None

    def _is_own_host(self, name: str) -> bool:
        with suppress(ValueError):
            return bool(ip_address(name))
        return name in self._hosts

    def _check_signature(self, environ: WSGIEnvironment) -> Response | None:
        if environ.get("PATH_INFO", "").startswith(PREFIX):
            return None
        credential = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if credential is None or credential["service"] not in SERVICES:
            services = ", ".join(sorted(SERVICES))
            return refuse("404 Not Found", f"The demo answers signed requests to {services}.")
        if has_mark() and self._is_known(credential["key"]):
            return None
        message = _FOREIGN if has_mark() else _EMPTIED
        return _refuse_keys(message, credential["service"], environ.get("CONTENT_TYPE", ""))

    def _is_known(self, access_key: str) -> bool:
        if access_key not in self._known_keys:
            self._known_keys |= {
                role.access_key_id
                for _, _, backend in sts_backends.iter_backends()
                for role in getattr(backend, "assumed_roles", ())
            }
        return access_key in self._known_keys


def _refuse_keys(message: str, service: str, content_type: str) -> Response:
    """Return AWS's answer to unknown keys, in the protocol of a service."""
    if service in REST_JSON_SERVICES:
        return make_error_response("UnrecognizedClientException", message, 403)
    if "json" in content_type:
        body = json.dumps({"__type": "UnrecognizedClientException", "message": message})
        return Response(body, "400 Bad Request", content_type=content_type)
    codes = {"ec2": "AuthFailure", "s3": "InvalidAccessKeyId"}
    code = codes.get(service, "InvalidClientTokenId")
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    if service == "s3":
        return Response(error, "403 Forbidden", content_type="application/xml")
    if service == "ec2":
        body = f"<Response><Errors>{error}</Errors><RequestID>demo</RequestID></Response>"
        return Response(body, "401 Unauthorized", content_type="text/xml")
    body = f"<ErrorResponse>{error}<RequestId>demo</RequestId></ErrorResponse>"
    return Response(body, "403 Forbidden", content_type="text/xml")
