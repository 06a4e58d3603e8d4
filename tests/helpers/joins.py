"""Helpers of the tests of joins: sample metrics and instances, requests, errors and warnings."""

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
from fastlaunch_nb.aws.clients import get_iam_action
from fastlaunch_nb.aws.sessions import swap_default_session
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.moto_extension import get_backend
from fastlaunch_nb.joins import cloudwatch
from fastlaunch_nb.schema.joins import JOINS
from tests.helpers.samples import ACCOUNT, REGION

COLUMNS = {join: [column.name for column in columns] for join, columns in JOINS.items()}
NAMESPACE = "Tests"
TESTS = Path(__file__).parents[1] / "joins"
"""The folder of the tests of joins. Every warning points to a line in it."""
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def get_ec2(account_id: str = ACCOUNT, region: str = REGION) -> Any:
    """Return the backend of the embedded EC2."""
    return get_backend(account_id, region)


def add_images(region: str, names: Mapping[str, str]) -> None:
    """Add Windows AMIs (id to name) to a region and enable them. They have no launches."""
    ec2 = get_ec2(region=region)
    for image_id, name in names.items():
        ec2.add_windows_image(image_id, name=name, owner_id=ACCOUNT)
        ec2.enable_fast_launch(image_id)


def use_test_namespace(patch: pytest.MonkeyPatch) -> None:
    """Read metrics from a namespace of the tests, as AWS lets nobody write to AWS/EC2."""
    patch.setattr(cloudwatch, "_NAMESPACE", NAMESPACE)


def put_metrics(
    demo: Demo,
    images: pd.DataFrame,
    values: dict[int, float],
    name: str = "NumberOfAvailableFastLaunchSnapshots",
    **dimensions: str,
) -> None:
    """Write values of a metric (minutes ago to value) for each image to CloudWatch."""
    groups: Any = images.groupby(["account_id", "region"])
    for (account_id, region), rows in groups:
        session = boto3.Session(profile_name=demo.accounts[account_id])
        others = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        session.client("cloudwatch", region_name=region).put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "Whatever", "Value": image_id}, *others],
                    "Timestamp": demo.clock.now() - timedelta(minutes=minutes),
                    "Value": value,
                }
                for image_id in rows["image_id"]
                for minutes, value in values.items()
            ],
        )


def run_instance(client: Any, image_id: str, source: str | None, *, end: bool = False) -> None:
    """Launch an instance with a root volume from the snapshot `source`."""
    answer = client.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)
    instance_id = answer["Instances"][0]["InstanceId"]
    [reservation] = client.describe_instances(InstanceIds=[instance_id])["Reservations"]
    [device] = reservation["Instances"][0]["BlockDeviceMappings"]
    ec2 = get_ec2(region=client.meta.region_name)
    ec2.volumes[device["Ebs"]["VolumeId"]].snapshot_id = source
    if end:
        client.terminate_instances(InstanceIds=[instance_id])


def prepare_every_read(demo: Demo, image_id: str) -> str:
    """Give an image what makes every join read all that it may read; return its KMS key.

    It gets an instance, a retention rule, a key, and a distribution configuration.
    """
    run_instance(demo.session.client("ec2"), image_id, "snap-0123")
    ec2 = get_ec2()
    ec2.add_retention_rule()
    ec2.add_distribution_configuration("windows", [])
    key = demo.session.client("kms").create_key()["KeyMetadata"]["Arn"]
    snapshot = ec2.amis[image_id].ebs_snapshot
    snapshot.encrypted, snapshot.kms_key_id = True, key
    return str(key)


def assert_declared(join: str, found: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Check that a join has its declared columns and dtypes, for these rows."""
    assert found.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in JOINS[join]}
    assert found.index.equals(rows.index)


def list_values(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dicts, with None for null."""
    return found.astype(object).where(found.notna(), None).to_dict("records")  # type: ignore[return-value]


@contextmanager
def record_requests(demo: Demo) -> Iterator[list[tuple[str, str, dict[str, Any]]]]:
    """Record the requests of boto3: the IAM action, the region, and the parameters."""
    calls: list[tuple[str, str, dict[str, Any]]] = []

    def record(model: Any, params: Any, context: Any, **_: Any) -> None:
        action = get_iam_action(model.service_model.service_name, model.name)
        body = params["body"]
        calls.append((action, context["client_region"], body if isinstance(body, dict) else {}))

    events = demo.session.events
    before = swap_default_session(demo.session)
    events.register("before-call", record)
    try:
        yield calls
    finally:
        events.unregister("before-call", record)
        swap_default_session(before)


@contextmanager
def refuse_operations(*operations: str, region: str | None = None) -> Iterator[None]:
    """Make AWS refuse some operations, in one region or in all of them."""
    real = BaseClient._make_api_call

    def call(self: Any, name: str, request: Any) -> Any:
        if name not in operations or region not in (None, self.meta.region_name):
            return real(self, name, request)
        message = f"no, and {SECRET_KEY} is secret"
        error = {"Error": {"Code": "UnauthorizedOperation", "Message": message}}
        raise ClientError({**error, "ResponseMetadata": {"RequestId": "r-1"}}, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect the messages of warnings, and check that they point to the tests."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        messages: list[str] = []
        yield messages
    assert {warning.category for warning in caught} <= {fl.FastLaunchWarning}
    assert {Path(warning.filename).parent for warning in caught} <= {TESTS}
    messages += [str(warning.message) for warning in caught]
