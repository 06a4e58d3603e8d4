"""The wire of the embedded EC2: the actions moto lacks, parsed by moto, answered by us.

Answers are written by walking botocore's own output shape, so that every name,
list and timestamp is where the service model puts it, and milliseconds survive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

from moto.core.base_backend import BackendDict
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import get_service_model
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.responses import EC2Response
from moto.moto_api._internal import mock_random

from fastlaunch_nb.emulator import cloudwatch_api, run_instances, service_quotas
from fastlaunch_nb.emulator.assumptions import NOT_A_NUMBER
from fastlaunch_nb.emulator.change_log import JOURNAL
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.fast_launch_backend import EC2Error, FastLaunchBackend
from fastlaunch_nb.emulator.faults import FAULTS
from fastlaunch_nb.emulator.ids import IDS
from fastlaunch_nb.emulator.image import FastLaunchImage

_REQUEST_ID = "x-amzn-requestid"
_NO_ID = ">request-id</"  # all that moto says in a body
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"

Answer: TypeAlias = tuple[int, dict[str, Any], str]


def install() -> None:
    """Teach moto's EC2 the Fast Launch actions; once is enough, again does no harm."""
    if FastLaunchBackend in EC2Backend.__bases__:
        return
    EC2Backend.__bases__ += (FastLaunchBackend,)
    for _, _, existing in ec2_backends.iter_backends():
        FastLaunchBackend.__init__(existing)  # type: ignore[arg-type]
    for handle in (_describe_fast_launch_images, _enable_fast_launch, _disable_fast_launch):
        setattr(EC2Response, handle.__name__.removeprefix("_"), _action(handle))
    ours = {
        "describe_images": _describe_images,
        "parse_parameters": _parse_parameters,
        "_dispatch": _dispatch,
        "_enrich_response": staticmethod(_enriched),
    }
    for name, method in ours.items():
        setattr(EC2Response, name, method)
    run_instances.install()
    service_quotas.install()
    cloudwatch_api.install()


def backend(account_id: str, region: str) -> Any:
    """Return the embedded EC2's state of one account and region."""
    return ec2_backends[account_id][region]


def forget_everything(seed: int = 0) -> None:
    """Empty all of moto, turn faults off, start the clock and all that is made up anew."""
    BackendDict.reset()
    CLOCK.reset()
    JOURNAL.clear()
    FAULTS.clear()
    IDS.restart(seed)
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


def _describe_images(request: Any) -> ActionResult:
    """Answer moto's DescribeImages, but with what other accounts have shared."""
    request.error_on_dryrun()
    images = request.ec2_backend.describe_available_images(
        image_ids=request._get_param("ImageIds", []),
        filters=request._filters_from_querystring(),
        owners=request._get_param("Owners", []),
        executable_by=request._get_param("ExecutableUsers", []),
    )
    return ActionResult({"Images": images})


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


# --- a request and its answer ---------------------------------------------------------


def _dispatch(request: Any, *arguments: Any, **named: Any) -> Any:
    """Have moto answer a request to EC2, unless it is refused before its action is looked at."""
    try:
        request.setup_class(*arguments, **named)
        _check_region(request.region)
    except EC2Error as error:
        request_id = IDS.request()
        headers = {**request.response_headers, **_headers(error.status, request_id)}
        return error.status, *_enriched(headers, _failure(error, request_id))
    return request.call_action()


def _parse_parameters(request: Any, http_request: Any) -> None:
    """Have moto parse the parameters; say as EC2 does what it can not."""
    action = request._get_action()
    if action not in get_service_model("ec2").operation_names:
        raise EC2Error("InvalidAction", f"The action {action} is not valid for this web service.")
    try:
        BaseResponse.parse_parameters(request, http_request)
    except ValueError as error:
        raise _not_a_number(str(error), http_request.values.items()) from None


def _not_a_number(complaint: str, parameters: Iterable[tuple[str, str]]) -> EC2Error:
    """Return the error for a parameter; what Python complains of ends in its value."""
    for name, value in parameters:
        if complaint.endswith(repr(value)):
            return EC2Error(NOT_A_NUMBER, f"Value ({value}) for parameter {name} is invalid.")
    return EC2Error(NOT_A_NUMBER, f"A parameter is invalid: {complaint}")


def _check_region(name: str) -> None:
    """Refuse a region that is unknown, or not opted in to, as DescribeRegions has it."""
    if name not in {region.name for region in EC2Backend.regions if _is_open(region)}:
        raise EC2Error(
            "AuthFailure", "AWS was not able to validate the provided access credentials", 401
        )


def _is_open(region: Any) -> bool:
    return bool(region.opt_in_status != "not-opted-in")


def _action(handle: Callable[[Any], dict[str, Any]]) -> Callable[[Any], Answer]:
    """Make a method of moto's EC2Response from a function: its answers and errors."""

    def method(request: Any) -> Answer:
        request_id = IDS.request()
        operation = get_service_model("ec2").operation_model(request._get_action())
        try:
            FAULTS.before(request)
            with CLOCK.still():  # after what has become due
                result = FAULTS.after(request, handle(request))
            status, body = 200, _success(operation, result, request_id)
        except EC2Error as error:
            status, body = error.status, _failure(error, request_id)
        return status, _headers(status, request_id), body

    return method


def _headers(status: int, request_id: str) -> dict[str, Any]:
    return {
        "status": status,
        "Content-Type": "text/xml;charset=UTF-8",
        _REQUEST_ID: request_id,
    }


def _enriched(headers: dict[str, Any], body: Any) -> tuple[dict[str, Any], Any]:
    """Finish any answer of EC2's, in place of moto.

    Its request ids are drawn from what all else is made up from, and its date, in
    answers in-process, is the wall clock's.
    """
    headers = {**headers, "status": str(headers.get("status", 200))}
    if "date" in headers:  # over HTTP the server writes it
        headers["date"] = format_datetime(CLOCK.now(), usegmt=True)
    if _REQUEST_ID not in headers:
        headers[_REQUEST_ID] = IDS.request()
        body = str(body).replace(_NO_ID, f">{headers[_REQUEST_ID]}</", 1)
    return headers, body


# --- XML ------------------------------------------------------------------------------


def _success(operation: Any, result: Mapping[str, Any], request_id: str) -> str:
    root = f"{operation.name}Response"
    members = _writer(operation.output_shape)(result)
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


Writer: TypeAlias = Callable[[Any], str]


@cache
def _writer(shape: Any) -> Writer:
    """Return what writes values of a shape, which is walked once and not for each value."""
    if shape.type_name == "structure":
        return _structure_writer(shape)
    if shape.type_name == "list":
        tag, write = shape.member.serialization.get("name", "member"), _writer(shape.member)
        return lambda items: "".join(f"<{tag}>{write(item)}</{tag}>" for item in items)
    return _SCALARS.get(shape.type_name, _text)


def _structure_writer(shape: Any) -> Writer:
    """Return what writes a structure; a member that is None is left out."""
    members = [
        (name, member.serialization.get("name", name), _writer(member))
        for name, member in shape.members.items()
    ]

    def write(values: Mapping[str, Any]) -> str:
        return "".join(
            f"<{tag}>{write_member(values[name])}</{tag}>"
            for name, tag, write_member in members
            if values.get(name) is not None
        )

    return write


def _text(value: object) -> str:
    return escape(str(value))


def _time(value: datetime) -> str:
    moment = value.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


_SCALARS: Mapping[str, Writer] = {
    "timestamp": _time,
    "boolean": lambda value: "true" if value else "false",
}
