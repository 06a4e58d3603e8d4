"""Sample items, accounts and commands that tests of several rooms use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

ROOT = Path(__file__).parent.parent.parent
ACCOUNT, REGION = "123456789012", "us-east-1"
SINCE = datetime(2026, 1, 14, 9, 30, 15, 552000, tzinfo=UTC)
Connect = Callable[..., Any]


@contextmanager
def denied(*operations: str, code: str = "AccessDenied") -> Iterator[None]:
    """Have AWS refuse some operations for a while, and answer all others."""
    real = BaseClient._make_api_call

    def call(self: Any, name: str, asked: Any) -> Any:
        if name not in operations:
            return real(self, name, asked)
        error = {"Error": {"Code": code, "Message": "no"}}
        raise ClientError({**error, "ResponseMetadata": {"RequestId": "r-1"}}, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; where it fails, show what it said."""
    env = {**os.environ, **variables}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def item(number: int, state: str | None = "enabled", **fields: Any) -> dict[str, Any]:
    """Return an item as boto3 gives it, with every field unless told otherwise."""
    template = {
        "LaunchTemplateId": f"lt-{number:017x}",
        "LaunchTemplateName": "runner",
        "Version": "1",
    }
    whole = {
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
    return {name: value for name, value in {**whole, **fields}.items() if value is not None}


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
