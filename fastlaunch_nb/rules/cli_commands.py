"""Commands of the AWS CLI, for a person to check and run. Every value in them is quoted."""

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
"""The settings that :func:`format_enable` takes, in its order."""
CREATED_BY = "Name=tag:CreatedBy,Values=EC2 Fast Launch"
MIN_PARALLEL: Final = 6
"""The minimum that EnableFastLaunch accepts as MaxParallelLaunches (EC2 API Reference)."""


def format_command(service: str, operation: str, region: Any, *words: Any) -> str:
    """Format a command of the AWS CLI."""
    region_option = ("--region", region) if is_known(region) else ()
    return shlex.join(["aws", service, operation, *map(str, (*region_option, *words))])


def format_enable(*settings: Any) -> str:
    """Format the command that enables an image with the values of :data:`ENABLE_COLUMNS`.

    A value that is null or missing is left out.
    """
    region, image_id, target, parallel, template, name, version = (*settings, None, None, None)[:7]
    words: list[Any] = ["--image-id", image_id, "--resource-type", "snapshot"]
    if is_known(target):
        words += ["--snapshot-configuration", f"TargetResourceCount={target}"]
    if is_known(parallel):
        words += ["--max-parallel-launches", max(parallel, MIN_PARALLEL)]
    if is_known(template) or is_known(name):
        if not is_known(version):
            return "Enable it again in the EC2 console: its launch template's version is unknown"
        identity = (
            f"LaunchTemplateId={template}" if is_known(template) else f"LaunchTemplateName={name}"
        )
        words += ["--launch-template", f"{identity},Version={version}"]
    return format_command("ec2", "enable-fast-launch", region, *words)


def format_enable_rows(
    rows: pd.DataFrame, columns: Mapping[str, str], format_row: Callable[..., str] = format_enable
) -> list[str]:
    """Format a text for each row from its settings: by default, the command that enables it.

    `columns` maps a setting to the column that has its new value.
    """
    return map_rows(rows, format_row, *(columns.get(name, name) for name in ENABLE_COLUMNS))


def format_disable(region: Any, image_id: Any, *, force: bool = False) -> str:
    """Format the command that disables an image and deletes its snapshots."""
    options = ["--force"] if force else []
    return format_command("ec2", "disable-fast-launch", region, "--image-id", image_id, *options)


def format_list_preparations(region: Any, image_id: Any) -> str:
    """Format the command that lists the preparation instances of an image."""
    filters = [CREATED_BY, f"Name=image-id,Values={image_id}"]
    return format_command("ec2", "describe-instances", region, "--filters", *filters)


def format_list_snapshots(region: Any, image_id: Any) -> str:
    """Format the command that lists the Fast Launch snapshots of an image."""
    description = f"Name=description,Values=This is Fast Launch snapshot for image {image_id}*"
    options = ["--owner-ids", "self", "--filters", CREATED_BY, description]
    return format_command("ec2", "describe-snapshots", region, *options)
