"""Commands of the AWS CLI, for a person to look at and run. Every value in them is quoted."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.rules.rule import is_known, map_rows

ENABLE_COLUMNS = (
    *("region", "image_id", "target_resource_count", "max_parallel_launches"),
    *("launch_template_id", "launch_template_name", "launch_template_version"),
)
"""The columns that :func:`enable` is given, in its order."""
CREATED = "Name=tag:CreatedBy,Values=EC2 Fast Launch"
LEAST_PARALLEL: Final = 6
"""The least that EnableFastLaunch takes as MaxParallelLaunches (EC2 API Reference)."""


def command(service: str, operation: str, region: Any, *words: Any) -> str:
    """Return a command of the AWS CLI."""
    place = ("--region", region) if is_known(region) else ()
    return shlex.join(["aws", service, operation, *map(str, (*place, *words))])


def enable(*settings: Any) -> str:
    """Return the command that enables an image with these settings.

    They are the values of :data:`ENABLE_COLUMNS`; what is null, or not there, is left out.
    """
    region, image_id, target, parallel, template, name, version = (*settings, None, None, None)[:7]
    words: list[Any] = ["--image-id", image_id, "--resource-type", "snapshot"]
    if is_known(target):
        words += ["--snapshot-configuration", f"TargetResourceCount={target}"]
    if is_known(parallel):
        words += ["--max-parallel-launches", max(parallel, LEAST_PARALLEL)]
    if is_known(template) or is_known(name):
        if not is_known(version):
            return "Enable it again in the EC2 console: the version of its template is not known"
        which = (
            f"LaunchTemplateId={template}" if is_known(template) else f"LaunchTemplateName={name}"
        )
        words += ["--launch-template", f"{which},Version={version}"]
    return command("ec2", "enable-fast-launch", region, *words)


def enabling(
    rows: pd.DataFrame, instead: Mapping[str, str], say: Callable[..., str] = enable
) -> list[str]:
    """Return what :func:`enable`, or what says more, says of each row.

    `instead` names columns that are taken in the place of a row's own settings.
    """
    return map_rows(rows, say, *(instead.get(name, name) for name in ENABLE_COLUMNS))


def disable(region: Any, image_id: Any, *, force: bool = False) -> str:
    """Return the command that disables an image, and removes its snapshots."""
    forced = ["--force"] if force else []
    return command("ec2", "disable-fast-launch", region, "--image-id", image_id, *forced)


def preparing(region: Any, image_id: Any) -> str:
    """Return the command that lists an image's preparation instances."""
    filters = [CREATED, f"Name=image-id,Values={image_id}"]
    return command("ec2", "describe-instances", region, "--filters", *filters)


def list_snapshots(region: Any, image_id: Any) -> str:
    """Return the command that lists what Fast Launch made for an image."""
    described = f"Name=description,Values=This is Fast Launch snapshot for image {image_id}*"
    return command(
        "ec2", "describe-snapshots", region, "--owner-ids", "self", "--filters", CREATED, described
    )
