"""Sample items, events and accounts, and commands, for the tests of several rooms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

ROOT = Path(__file__).parent.parent.parent
ACCOUNT, REGION = "123456789012", "us-east-1"
SINCE = datetime(2026, 1, 14, 9, 30, 15, 552000, tzinfo=UTC)
Connect = Callable[..., Any]


@contextmanager
def deny_operations(*operations: str, code: str = "AccessDenied") -> Iterator[None]:
    """Make AWS refuse some operations inside the context, and no others."""
    real_call = BaseClient._make_api_call

    def call(self: Any, name: str, parameters: Any) -> Any:
        if name not in operations:
            return real_call(self, name, parameters)
        error = {"Error": {"Code": code, "Message": "no"}}
        raise ClientError({**error, "ResponseMetadata": {"RequestId": "r-1"}}, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; if it fails, show its output."""
    env = {**os.environ, **variables}
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def list_dtypes(rows: pd.DataFrame) -> dict[str, str]:
    """Return the dtype of each column as text."""
    return {str(name): str(dtype) for name, dtype in rows.dtypes.items()}


def run_python(script: str) -> str:
    """Return the output of a script in a new interpreter."""
    return run(sys.executable, "-c", script, cwd=ROOT).stdout.strip()


def item(number: int, state: str | None = "enabled", **fields: Any) -> dict[str, Any]:
    """Return an item like boto3's, with every field but those that are None."""
    template = {
        "LaunchTemplateId": f"lt-{number:017x}",
        "LaunchTemplateName": "runner",
        "Version": "1",
    }
    item_fields = {
        "ImageId": f"ami-{number:017x}",
        "ResourceType": "snapshot",
        "SnapshotConfiguration": {"TargetResourceCount": 5},
        "LaunchTemplate": template,
        "MaxParallelLaunches": 6,
        "OwnerId": ACCOUNT,
        "State": state,
        "StateTransitionReason": "Client.UserInitiated",
        "StateTransitionTime": SINCE,
    }
    return {name: value for name, value in {**item_fields, **fields}.items() if value is not None}


# The example of "Monitor EC2 Fast Launch" in the EC2 User Guide.
EVENT_EXAMPLE = """{
    "version": "0",
    "id": "01234567-0123-0123-0123-012345678901",
    "detail-type": "EC2 Fast Launch State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2022-08-31T20:30:12Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:image/ami-123456789012"],
    "detail": {
        "imageId": "ami-123456789012",
        "resourceType": "snapshot",
        "state": "enabling",
        "stateTransitionReason": "Client.UserInitiated"
    }
}"""


def make_event(number: object = 1, **fields: Any) -> dict[str, Any]:
    """Return an event like AWS's example, with another id; None removes a field."""
    event = {**json.loads(EVENT_EXAMPLE), "id": f"e{number}", **fields}
    return {name: value for name, value in event.items() if value is not None}


OTHER_EVENT = {
    **make_event(detail={"instance-id": "i-1"}),
    "detail-type": "EC2 Instance State-change Notification",
}
HOSTILE = "<img src=x onerror=alert(1)> </script> =cmd() \"quoted\" 'too' &amp;\n\x9b\u202eback"
ZOO: list[tuple[str | None, str | None, list[dict[str, Any]]]] = [
    (
        "111122223333",
        "us-east-1",
        [
            item(1),
            item(2, "enabling-failed", StateTransitionReason=HOSTILE),
            item(3, "enabling", SnapshotConfiguration={}, LaunchTemplate={}),
            item(4, "disabling", LaunchTemplate={"LaunchTemplateId": "lt-0123456789abcdef0"}),
        ],
    ),
    (
        "999988887777",
        "eu-west-1",
        [
            item(1, "enabled-failed", OwnerId="999988887777"),
            item(5, "some-new-state", MaxParallelLaunches=None, OwnerId=None),
            item(
                6,
                "disabling-failed",
                OwnerId="999988887777",
                LaunchTemplate={"LaunchTemplateName": HOSTILE},
            ),
        ],
    ),
    (None, None, [{"ImageId": "ami-00000007"}]),
]
