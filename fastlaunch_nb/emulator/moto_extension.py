"""The extension of moto: the Fast Launch actions, parsed by moto and answered by the emulator.

Answers are serialized by walking botocore's output shape. So every name, list and timestamp
is where the service model puts it, and timestamps keep their milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeAlias
from xml.sax.saxutils import escape

from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.models import DEFAULT_ACCOUNT_ID, MockAWS
from moto.core.responses import ActionResult, BaseResponse
from moto.core.serialize import XFormedAttributePicker
from moto.core.utils import get_service_model
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models import launch_templates as moto_launch_templates
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses import EC2Response
from moto.moto_api._internal import mock_random
from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.responses import ServiceQuotasResponse
from moto.sts.models import sts_backends

from fastlaunch_nb.emulator import assumptions, cloudwatch_api, run_instances, service_quotas
from fastlaunch_nb.emulator.change_log import CHANGE_LOG
from fastlaunch_nb.emulator.clock import CLOCK
from fastlaunch_nb.emulator.ec2_error import EC2Error
from fastlaunch_nb.emulator.fast_launch_backend import FastLaunchBackend
from fastlaunch_nb.emulator.faults import FAULTS
from fastlaunch_nb.emulator.ids import IDS
from fastlaunch_nb.emulator.image import FastLaunchImage

_MARK = "_is_demo"  # an attribute of a backend that nothing else resets on its own
_REQUEST_ID = "x-amzn-requestid"
_MOTO_REQUEST_ID = ">request-id</"  # the placeholder in moto's answers
_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"

Answer: TypeAlias = tuple[int, dict[str, Any], str]


def install() -> None:
    """Add Fast Launch to moto; calling it again has no effect."""
    if FastLaunchBackend in EC2Backend.__bases__:
        return
    EC2Backend.__bases__ += (FastLaunchBackend,)
    for _, _, existing in ec2_backends.iter_backends():
        FastLaunchBackend.__init__(existing)  # type: ignore[arg-type]
    for owner, methods in _MOTO_METHODS.items():
        for name, method in methods.items():
            setattr(owner, name, method)


def get_backend(account_id: str, region: str) -> Any:
    """Return the backend of an account and region, which is created if needed."""
    return ec2_backends[account_id][region]


def reset_emulator(seed: int = 0) -> None:
    """Reset all of moto, the clock, the change log, the faults and the generated ids."""
    had_mark = has_mark()
    BackendDict.reset()
    _forget_resources()
    if had_mark:
        mark_backends()
    CLOCK.reset()
    CHANGE_LOG.clear()
    FAULTS.clear()
    IDS.restart(seed)
    mock_random.seed(seed)


def _forget_resources() -> None:
    """Empty what moto keeps over a reset: its list of all resources, and caches of methods."""
    reset_model_data()
    Subnet._base_avail_ip_iterator.cache_clear()
    AccountSpecificBackend._generate_regions.cache_clear()


def mark_backends() -> None:
    """Mark the backends as the demo's. moto removes the mark if it resets all of them."""
    setattr(sts_backends[DEFAULT_ACCOUNT_ID]["aws"], _MARK, True)


def has_mark() -> bool:
    """Return True if the backends are the demo's, and moto has not reset them since."""
    return hasattr(sts_backends[DEFAULT_ACCOUNT_ID]["aws"], _MARK)


def is_mock_active() -> bool:
    """Return True inside of moto's ``mock_aws``, which answers in this process instead."""
    return bool(MockAWS._mocks_active)


# --- actions --------------------------------------------------------------------------


def describe_fast_launch_images(request: Any) -> dict[str, Any]:
    """Return the result of DescribeFastLaunchImages."""
    filters = request._get_param("Filters", [])
    images, next_token = request.ec2_backend.describe_fast_launch_images(
        image_ids=request._get_param("ImageIds", []),
        filters=[(entry.get("Name", "null"), entry.get("Values", [])) for entry in filters],
        max_results=request._get_param("MaxResults"),
        next_token=request._get_param("NextToken"),
        dry_run=request._get_param("DryRun"),
        lag=timedelta(seconds=FAULTS.faults.lag),
    )
    return {"FastLaunchImages": [image.to_api() for image in images], "NextToken": next_token}


def enable_fast_launch(request: Any) -> dict[str, Any]:
    """Return the result of EnableFastLaunch."""
    image: FastLaunchImage = request.ec2_backend.enable_fast_launch(
        _require_image_id(request),
        resource_type=request._get_param("ResourceType"),
        target_resource_count=request._get_param("SnapshotConfiguration.TargetResourceCount"),
        launch_template=request._get_param("LaunchTemplate"),
        max_parallel_launches=request._get_param("MaxParallelLaunches"),
        dry_run=request._get_param("DryRun"),
    )
    if not request._get_param("LaunchTemplate"):
        return {**image.to_api(), **assumptions.ENABLE_WITHOUT_TEMPLATE}
    return image.to_api()


def disable_fast_launch(request: Any) -> dict[str, Any]:
    """Return the result of DisableFastLaunch."""
    image: FastLaunchImage = request.ec2_backend.disable_fast_launch(
        _require_image_id(request),
        force=request._get_param("Force"),
        dry_run=request._get_param("DryRun"),
    )
    return image.to_api()


def get_instance_metadata_defaults(request: Any) -> ActionResult:
    """Answer GetInstanceMetadataDefaults, which moto lacks."""
    request.error_on_dryrun()
    return ActionResult({"AccountLevel": request.ec2_backend.metadata_defaults})


def _require_image_id(request: Any) -> str:
    image_id = request._get_param("ImageId")
    if not image_id:
        raise EC2Error("MissingParameter", "The request must contain the parameter imageId")
    return str(image_id)


# --- requests and responses -----------------------------------------------------------


def _dispatch(request: Any, *arguments: Any, **named: Any) -> Any:
    """Let moto answer a request to EC2, unless its region or its parameters are invalid."""
    try:
        request.setup_class(*arguments, **named)
        _check_region(request.region)
    except EC2Error as error:
        request_id = IDS.make_request_id()
        headers = {**request.response_headers, **_make_headers(error.status, request_id)}
        return error.status, *_finish_response(headers, _write_error(error, request_id))
    return request.call_action()


def _check_region(name: str) -> None:
    """Raise EC2's error for a region that is unknown or not opted in to, as in DescribeRegions."""
    statuses = {region.name: region.opt_in_status for region in EC2Backend.regions}
    if statuses.get(name, "not-opted-in") == "not-opted-in":
        message = "AWS was not able to validate the provided access credentials"
        raise EC2Error("AuthFailure", message, 401)


def _parse_parameters(request: Any, http_request: Any) -> None:
    """Let moto parse the parameters, and raise EC2's error if it fails."""
    action = request._get_action()
    if action not in get_service_model("ec2").operation_names:
        raise EC2Error("InvalidAction", f"The action {action} is not valid for this web service.")
    try:
        BaseResponse.parse_parameters(request, http_request)
    except ValueError as error:
        reason = str(error)  # ends with the value, but does not name the parameter
        messages = [
            f"Value ({value}) for parameter {name} is invalid."
            for name, value in http_request.values.items()
            if reason.endswith(repr(value))
        ]
        message = messages[0] if messages else f"A parameter is invalid: {reason}"
        raise EC2Error(assumptions.NOT_A_NUMBER_CODE, message) from None


def _make_method(action: Callable[[Any], dict[str, Any]]) -> Callable[[Any], Answer]:
    """Make a method of moto's EC2Response that serializes an action's result or error."""

    def method(request: Any) -> Answer:
        request_id = IDS.make_request_id()
        operation = get_service_model("ec2").operation_model(request._get_action())
        try:
            FAULTS.delay_or_refuse(request)
            with CLOCK.still():  # which first runs the actions that are due
                result = FAULTS.alter_result(request, action(request))
            status, body = 200, _write_result(operation, result, request_id)
        except EC2Error as error:
            status, body = error.status, _write_error(error, request_id)
        return status, _make_headers(status, request_id), body

    return method


def _make_headers(status: int, request_id: str) -> dict[str, Any]:
    return {"status": status, "Content-Type": "text/xml;charset=UTF-8", _REQUEST_ID: request_id}


def _finish_response(headers: dict[str, Any], body: Any) -> tuple[dict[str, Any], Any]:
    """Complete any response of EC2 in place of moto.

    moto would draw the request id from the random numbers that also generate resource ids,
    and would date in-process responses by the wall clock.
    """
    headers = {**headers, "status": str(headers.get("status", 200))}
    if "date" in headers:  # over HTTP the server adds it
        headers["date"] = format_datetime(CLOCK.now(), usegmt=True)
    if _REQUEST_ID not in headers:
        headers[_REQUEST_ID] = IDS.make_request_id()
        body = str(body).replace(_MOTO_REQUEST_ID, f">{headers[_REQUEST_ID]}</", 1)
    return headers, body


# --- XML ------------------------------------------------------------------------------


def _write_result(operation: Any, result: Mapping[str, Any], request_id: str) -> str:
    root = f"{operation.name}Response"
    members = _make_writer(operation.output_shape)(result)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{_NAMESPACE}">'
        f"<requestId>{request_id}</requestId>{members}</{root}>"
    )


def _write_error(error: EC2Error, request_id: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
        f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        f"</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    )


Writer: TypeAlias = Callable[[Any], str]


@cache
def _make_writer(shape: Any) -> Writer:
    """Return a function that writes values of a shape, without members that are None.

    It is cached, so that each shape is walked only once.
    """
    if shape.type_name == "structure":
        members = [
            (name, member.serialization.get("name", name), _make_writer(member))
            for name, member in shape.members.items()
        ]
        return lambda values: "".join(
            f"<{tag}>{write(values[name])}</{tag}>"
            for name, tag, write in members
            if values.get(name) is not None
        )
    if shape.type_name == "list":
        tag, write = shape.member.serialization.get("name", "member"), _make_writer(shape.member)
        return lambda items: "".join(f"<{tag}>{write(item)}</{tag}>" for item in items)
    return _SCALARS.get(shape.type_name, lambda value: escape(str(value)))


_SCALARS: Mapping[str, Writer] = {
    "timestamp": lambda time: f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
    "boolean": lambda value: "true" if value else "false",
}


# --- faster than moto -----------------------------------------------------------------

moto_describe_tags = EC2Backend.describe_tags
moto_get_possible_keys = XFormedAttributePicker.get_possible_keys
_possible_keys: dict[Any, tuple[str, ...]] = {}


def _describe_tags(backend: Any, filters: Any = None) -> Any:
    """Look up the tags of one resource; moto compares its id with those of all others."""
    if filters and filters.keys() == {"resource-id"} and len(filters["resource-id"]) == 1:
        [resource_id] = filters["resource-id"]
        if not {"*", "?", "\\", "["} & {*resource_id}:
            tags = {resource_id: backend.tags.get(resource_id, {})}
            return moto_describe_tags(SimpleNamespace(tags=tags))  # type: ignore[arg-type]
    return moto_describe_tags(backend, filters)


def _get_possible_keys(picker: Any, context: Any) -> tuple[str, ...]:
    """Return the names that a member of a shape may have in moto's objects of one class."""
    key = type(context.obj), context.shape, context.key
    if key not in _possible_keys:
        _possible_keys[key] = tuple(moto_get_possible_keys(picker, context))
    return _possible_keys[key]


def _now() -> datetime:
    """Return the time of the virtual clock, in UTC and without a time zone, as moto has times."""
    return CLOCK.now().replace(tzinfo=None)


_MOTO_METHODS: Mapping[Any, Mapping[str, Any]] = {  # added to moto, or replaced there
    moto_launch_templates: {"utcnow": _now},
    EC2Response: {
        "describe_fast_launch_images": _make_method(describe_fast_launch_images),
        "enable_fast_launch": _make_method(enable_fast_launch),
        "disable_fast_launch": _make_method(disable_fast_launch),
        "get_instance_metadata_defaults": get_instance_metadata_defaults,
        "run_instances": run_instances.run_instances,
        "parse_parameters": _parse_parameters,
        "_dispatch": _dispatch,
        "_enrich_response": staticmethod(_finish_response),
    },
    EC2Backend: {
        "describe_images": FastLaunchBackend.describe_available_images,
        "describe_tags": _describe_tags,
        "run_instances": run_instances.launch_instances,
    },
    XFormedAttributePicker: {"get_possible_keys": _get_possible_keys},
    CloudWatchResponse: {
        "list_metrics": cloudwatch_api.list_metrics,
        "get_metric_data": cloudwatch_api.get_metric_data,
        "get_metric_statistics": cloudwatch_api.get_metric_statistics,
    },
    CloudWatchBackend: {"get_metric_data": cloudwatch_api.compute_metric_data},
    ServiceQuotasResponse: {
        "request_service_quota_increase": service_quotas.request_service_quota_increase,
        "list_requested_service_quota_change_history": service_quotas.list_requested_changes,
    },
    ServiceQuotasBackend: {"get_service_quota": service_quotas.get_service_quota},
}
