"""The wire of the embedded EC2: the actions moto lacks, parsed by moto, answered by us.

Answers are written by walking botocore's own output shape, so that every name,
list and timestamp is where the service model puts it, and milliseconds survive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from email.utils import format_datetime
from itertools import count
from typing import Any
from xml.sax.saxutils import escape

from moto.core.base_backend import BackendDict
from moto.core.responses import BaseResponse
from moto.core.utils import get_service_model
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.responses import EC2Response
from moto.moto_api._internal import mock_random

from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.faults import FAULTS
from fastlaunch_nb.emulator.images import FastLaunchImage
from fastlaunch_nb.emulator.journal import JOURNAL
from fastlaunch_nb.emulator.models import CLOSED_REGION, EC2Error, FastLaunchBackend

_REQUEST_ID = "x-amzn-requestid"
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
_requests = count(1)

Answer = tuple[int, dict[str, Any], str]


def install() -> None:
    """Teach moto's EC2 the Fast Launch actions; once is enough, again does no harm."""
    if FastLaunchBackend in EC2Backend.__bases__:
        return
    EC2Backend.__bases__ += (FastLaunchBackend,)
    for _, _, existing in ec2_backends.iter_backends():
        FastLaunchBackend.__init__(existing)  # type: ignore[arg-type]
    for handle in (_describe_fast_launch_images, _enable_fast_launch, _disable_fast_launch):
        setattr(EC2Response, handle.__name__.removeprefix("_"), _action(handle))
    EC2Response._enrich_response = staticmethod(_enriched)  # type: ignore[method-assign]


def backend(account_id: str, region: str) -> Any:
    """Return the embedded EC2's state of one account and region."""
    return ec2_backends[account_id][region]


def forget_everything(seed: int = 0) -> None:
    """Empty all of moto, turn faults off, start the clock and moto's made-up ids anew."""
    BackendDict.reset()
    CLOCK.reset()
    JOURNAL.clear()
    FAULTS.clear()
    mock_random.seed(seed)


def _describe_fast_launch_images(request: Any) -> dict[str, Any]:
    images, next_token = request.ec2_backend.describe_fast_launch_images(
        image_ids=request._get_param("ImageIds", []),
        filters=_filters(request._get_param("Filters", [])),
        max_results=request._get_param("MaxResults"),
        next_token=request._get_param("NextToken"),
        dry_run=request._get_param("DryRun"),
    )
    return {"FastLaunchImages": [image.to_api() for image in images], "NextToken": next_token}


def _enable_fast_launch(request: Any) -> dict[str, Any]:
    image: FastLaunchImage = request.ec2_backend.enable_fast_launch(
        _required(request, "ImageId"),
        resource_type=request._get_param("ResourceType"),
        target_resource_count=request._get_param("SnapshotConfiguration", {}).get(
            "TargetResourceCount"
        ),
        launch_template=request._get_param("LaunchTemplate"),
        max_parallel_launches=request._get_param("MaxParallelLaunches"),
        dry_run=request._get_param("DryRun"),
    )
    return image.to_api()


def _disable_fast_launch(request: Any) -> dict[str, Any]:
    image: FastLaunchImage = request.ec2_backend.disable_fast_launch(
        _required(request, "ImageId"),
        force=request._get_param("Force"),
        dry_run=request._get_param("DryRun"),
    )
    return image.to_api()


def _required(request: Any, name: str) -> str:
    value = request._get_param(name)
    if not value:
        raise EC2Error(
            "MissingParameter",
            f"The request must contain the parameter {name[0].lower()}{name[1:]}",
        )
    return str(value)


def _filters(given: list[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    return [(entry.get("Name", "null"), entry.get("Values", [])) for entry in given]


def _action(handle: Callable[[Any], dict[str, Any]]) -> Callable[[Any], Answer]:
    """Make a method of moto's EC2Response from a function: its answers and errors."""

    def method(request: Any) -> Answer:
        request_id = f"fa571a00-0000-4000-8000-{next(_requests):012x}"
        operation = get_service_model("ec2").operation_model(request._get_action())
        try:
            FAULTS.before(request)
            _check_region(request)
            with CLOCK.lock:
                CLOCK.now()  # does what has become due
                result = FAULTS.after(request, handle(request))
            status, body = 200, _success(operation, result, request_id)
        except EC2Error as error:
            status, body = error.status, _failure(error, request_id)
        return status, _headers(request, status, request_id), body

    return method


def _check_region(request: Any) -> None:
    """Refuse a region that is none, or that the account has not opted in to."""
    try:
        regions = request.ec2_backend.describe_regions([request.region])
        closed = any(region.opt_in_status == "not-opted-in" for region in regions)
    except KeyError:  # moto has no such region
        closed = True
    if closed:
        raise EC2Error(
            CLOSED_REGION, "AWS was not able to validate the provided access credentials", 401
        )


def _headers(request: Any, status: int, request_id: str) -> dict[str, Any]:
    headers: dict[str, Any] = {
        "status": status,
        "Content-Type": "text/xml;charset=UTF-8",
        _REQUEST_ID: request_id,
    }
    if not request.is_werkzeug_request:  # over HTTP the server writes the date itself
        headers["date"] = format_datetime(CLOCK.now(), usegmt=True)
    return headers


def _enriched(headers: dict[str, Any], body: Any) -> tuple[dict[str, Any], Any]:
    """Finish an answer as moto does, but keep our request id: it would make up another."""
    ours = {_REQUEST_ID: headers[_REQUEST_ID]} if _REQUEST_ID in headers else {}
    headers, body = BaseResponse._enrich_response(headers, body)
    return {**headers, **ours}, body


def _success(operation: Any, result: Mapping[str, Any], request_id: str) -> str:
    root = f"{operation.name}Response"
    members = "".join(_members(operation.output_shape, result))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{_NAMESPACE}">'
        f"<requestId>{request_id}</requestId>{members}</{root}>"
    )


def _failure(error: EC2Error, request_id: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
        f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        f"</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    )


def _members(shape: Any, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the elements of a structure; a member that is None is left out."""
    for name, member in shape.members.items():
        value = values.get(name)
        if value is not None:
            tag = member.serialization.get("name", name)
            yield f"<{tag}>{_content(member, value)}</{tag}>"


def _content(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        return "".join(_members(shape, value))
    if shape.type_name == "list":
        tag = shape.member.serialization.get("name", "member")
        return "".join(f"<{tag}>{_content(shape.member, item)}</{tag}>" for item in value)
    if shape.type_name == "timestamp":
        moment = value.astimezone(UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    if shape.type_name == "boolean":
        return "true" if value else "false"
    return escape(str(value))
