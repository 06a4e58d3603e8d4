"""Rules about settings: images without Fast Launch, forbidden templates, drift of settings."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fastlaunch_nb.formatting import to_single_line
from fastlaunch_nb.rules import cli_commands
from fastlaunch_nb.rules.rule import (
    ACTIVE_STATES,
    RuleInput,
    is_known,
    map_rows,
    rule,
    where_true,
    with_evidence,
)
from fastlaunch_nb.schema.columns import KEY, TEXT

_COMPARED_SETTINGS = {
    "target_resource_count": "target",
    "max_parallel_launches": "max parallel launches",
    "launch_template_name": "launch template",
    "launch_template_version": "template version",
}
_AWS_TEMPLATE = "EC2FastLaunchDefaultResourceCreation"  # AWS creates one for each image without one


@rule(
    "without-fast-launch",
    "medium",
    "a Windows AMI has no Fast Launch, but one with the same name elsewhere does",
    source="packer-plugin-amazon 445, 451: the setting is not copied with an AMI",
)
def find_images_without_fast_launch(facts: RuleInput) -> pd.DataFrame:
    """Find Windows AMIs without Fast Launch that have it elsewhere under the same name."""
    images = facts.images.assign(_sibling=facts.images["siblings_without_fast_launch"])
    has_siblings = images["_sibling"].fillna("").ne("")
    rows = where_true(images, has_siblings & images["state"].isin(ACTIVE_STATES))
    rows = rows.assign(
        _from=rows["account_id"].fillna("?") + " in " + rows["region"].fillna("?"),
        _sibling=rows["_sibling"].str.split(", "),
    ).explode("_sibling")
    # Of several images with Fast Launch, the evidence always names the same one.
    rows = rows.sort_values(list(KEY), kind="stable")
    rows = rows.drop_duplicates("_sibling").reset_index(drop=True)
    parts = rows["_sibling"].str.split("/", n=2, expand=True)
    rows[list(KEY)] = parts.reindex(columns=range(len(KEY))).astype(TEXT)

    def describe(name: Any, source: str) -> str:
        image = to_single_line(name) if is_known(name) else "An AMI with this name"
        return f"{image} has Fast Launch in account {to_single_line(source)}, but not here"

    evidence = map_rows(rows, describe, "image_name", "_from")
    # A launch template exists only in its own account and region, so the command has none.
    columns = cli_commands.ENABLE_COLUMNS[:4]
    return with_evidence(rows, evidence, map_rows(rows, cli_commands.format_enable, *columns))


@rule(
    "forbidden-template",
    "high",
    "the launch template has settings that Fast Launch does not allow",
    source="EC2 User Guide: Prerequisites for EC2 Fast Launch",
)
def find_forbidden_templates(facts: RuleInput) -> pd.DataFrame:
    """Find launch templates with settings that Fast Launch forbids."""
    rows = where_true(facts.images, facts.images["template_forbidden"].fillna("").ne(""))

    def describe(settings: str, template_id: Any, name: Any, version: Any) -> str:
        template = to_single_line(name if is_known(name) else template_id)
        number = f"version {to_single_line(version)}" if is_known(version) else "an unknown version"
        return f"forbidden in {number} of {template}: {to_single_line(settings)}"

    columns = ("template_forbidden", *cli_commands.ENABLE_COLUMNS[4:])
    remedy = cli_commands.format_enable_rows(rows, {}, _format_advice)
    return with_evidence(rows, map_rows(rows, describe, *columns), remedy)


def _format_advice(*settings: Any) -> str:
    region, template_id, name = settings[0], settings[4], settings[5]
    identity = f"id={template_id}" if is_known(template_id) else f"name={name}"
    look = cli_commands.format_command(
        "ec2", "describe-launch-template-versions", region, f"--launch-template-{identity}"
    )
    enable = cli_commands.format_enable(*settings)
    return (
        f"Create a version without these settings ({look}), and enable Fast Launch with the new "
        f"version: {enable}"
    )


@rule(
    "drift",
    "low",
    "the settings differ from those of the same name in other regions of the account",
    source="packer-plugin-amazon 506, 509",
)
def find_drift(facts: RuleInput) -> pd.DataFrame:
    """Find images with the same name and account but different settings."""
    has_name = facts.images["image_name"].notna()
    images = where_true(facts.images, has_name & facts.images["state"].isin(ACTIVE_STATES))
    by_aws = images["launch_template_name"].fillna("").str.startswith(_AWS_TEMPLATE)
    template = [name for name in _COMPARED_SETTINGS if name.startswith("launch_")]
    images = images.assign(**{name: images[name].mask(by_aws) for name in template})
    usual = {
        f"_{name}": values
        for name in _COMPARED_SETTINGS
        if (values := _find_usual(images, name)) is not None
    }
    if not usual:
        return images.head(0).assign(evidence="", remedy="")
    names = [name.removeprefix("_") for name in usual]
    differs = [images[name].ne(usual[f"_{name}"]).fillna(False) for name in names]
    rows = where_true(images.assign(**usual), pd.concat(differs, axis=1).any(axis=1))

    def describe(*values: Any) -> str:
        pairs = zip(names, values[: len(names)], values[len(names) :], strict=True)
        return "; ".join(
            f"{_COMPARED_SETTINGS[name]} {to_single_line(value)}, elsewhere {to_single_line(other)}"
            for name, value, other in pairs
            if is_known(value) and is_known(other) and value != other
        )

    remedy = cli_commands.format_enable_rows(rows, {name: f"_{name}" for name in names})
    return with_evidence(rows, map_rows(rows, describe, *names, *usual), remedy)


def _find_usual(images: pd.DataFrame, column: str) -> pd.Series | None:
    """Return the most common value for each image's name; None if no name has two values.

    Of several values that are equally common, it is the least, so that results are stable.
    """
    names = ["account_id", "image_name"]
    counts = images.groupby([*names, column], as_index=False).size()
    if not counts.duplicated(names).any():
        return None
    counts = counts.sort_values(["size", column], ascending=[False, True]).drop_duplicates(names)
    usual = images[names].merge(counts[[*names, column]], on=names, how="left")[column]
    return usual.set_axis(images.index)
