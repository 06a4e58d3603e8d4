"""What tests of joins share: numbers and instances to find, what is sent, refused and told."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import iam_action, swap_default_session
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.moto_extension import get_backend
from fastlaunch_nb.joins import cloudwatch
from fastlaunch_nb.schema.joins import JOINS
from tests.helpers.samples import ACCOUNT, REGION

COLUMNS = {join: [column.name for column in columns] for join, columns in JOINS.items()}
NAMESPACE = "Tests"
TESTS = Path(__file__).parents[1] / "joins"
"""The folder of the tests that this is for: warnings point at their lines."""
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def ec2_of(account_id: str = ACCOUNT, region: str = REGION) -> Any:
    """Return the embedded EC2's own state."""
    return get_backend(account_id, region)


def add_images(region: str, names: Mapping[str, str]) -> None:
    """Put Windows AMIs there, by id, and enable them; nobody launches them."""
    ec2 = ec2_of(region=region)
    for image_id, name in names.items():
        ec2.add_windows_image(image_id, name=name, owner_id=ACCOUNT)
        ec2.enable_fast_launch(image_id)


def read_own_numbers(patch: pytest.MonkeyPatch) -> None:
    """Have numbers read from where tests put them: AWS lets nobody put any into AWS/EC2."""
    patch.setattr(cloudwatch, "_NAMESPACE", NAMESPACE)


def put(
    demo: Demo,
    images: pd.DataFrame,
    values: dict[int, float],
    name: str = "NumberOfAvailableFastLaunchSnapshots",
    **more: str,
) -> None:
    """Have CloudWatch know of each image so much, so many minutes ago."""
    places: Any = images.groupby(["account_id", "region"])
    for (account_id, region), rows in places:
        session = boto3.Session(profile_name=demo.accounts[account_id])
        dimensions = [{"Name": key, "Value": value} for key, value in more.items()]
        session.client("cloudwatch", region_name=region).put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "Whatever", "Value": image_id}, *dimensions],
                    "Timestamp": demo.clock.now() - timedelta(minutes=minutes),
                    "Value": value,
                }
                for image_id in rows["image_id"]
                for minutes, value in values.items()
            ],
        )


def run_one(client: Any, image_id: str, source: str | None, *, end: bool = False) -> None:
    """Launch an instance whose root volume was made of a snapshot."""
    answer = client.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)
    instance_id = answer["Instances"][0]["InstanceId"]
    [reservation] = client.describe_instances(InstanceIds=[instance_id])["Reservations"]
    [device] = reservation["Instances"][0]["BlockDeviceMappings"]
    ec2 = ec2_of(region=client.meta.region_name)
    ec2.volumes[device["Ebs"]["VolumeId"]].snapshot_id = source
    if end:
        client.terminate_instances(InstanceIds=[instance_id])


@contextmanager
def recorded(demo: Demo) -> Iterator[list[tuple[str, str, dict[str, Any]]]]:
    """Have boto3 note what it sends: the IAM action, the region, and the parameters."""
    calls: list[tuple[str, str, dict[str, Any]]] = []

    def note(model: Any, params: Any, context: Any, **_: Any) -> None:
        action = iam_action(model.service_model.service_name, model.name)
        body = params["body"]
        calls.append((action, context["client_region"], body if isinstance(body, dict) else {}))

    events = demo.session.events
    before = swap_default_session(demo.session)
    events.register("before-call", note)
    try:
        yield calls
    finally:
        events.unregister("before-call", note)
        swap_default_session(before)


@contextmanager
def refused(*operations: str, region: str | None = None) -> Iterator[None]:
    """Have AWS refuse some operations, of one region or of all, and answer all others."""
    real = BaseClient._make_api_call

    def call(self: Any, name: str, asked: Any) -> Any:
        if name not in operations or region not in (None, self.meta.region_name):
            return real(self, name, asked)
        said = f"no, and {SECRET_KEY} is secret"
        error = {"Error": {"Code": "UnauthorizedOperation", "Message": said}}
        raise ClientError({**error, "ResponseMetadata": {"RequestId": "r-1"}}, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield


@contextmanager
def told() -> Iterator[list[str]]:
    """Catch what is told."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        messages: list[str] = []
        yield messages
    assert {warning.category for warning in caught} <= {fl.FastLaunchWarning}
    assert {Path(warning.filename).parent for warning in caught} <= {TESTS}
    messages += [str(warning.message) for warning in caught]
