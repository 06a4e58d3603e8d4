"""Rules about settings: missing Fast Launch, launch templates, keys, drift of settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fastlaunch_nb.formatting import format_time, to_single_line
from fastlaunch_nb.rules.cli_commands import Step, list_amis, list_instances, make_step, row_command
from fastlaunch_nb.rules.rule import (
    ACTIVE_STATES,
    ENABLED_STATES,
    ENDING_RULES,
    Problems,
    RowText,
    RuleInput,
    is_known,
    make_problems,
    rule,
    where_true,
)
from fastlaunch_nb.schema.columns import KEY, TEXT

_COMPARED_SETTINGS = {
    "target_resource_count": "target",
    "max_parallel_launches": "max parallel launches",
    "launch_template_name": "launch template",
}
_INTENDED = {
    "target_resource_count": "intended_target_resource_count",
    "max_parallel_launches": "intended_max_parallel_launches",
}
_AWS_TEMPLATE = "EC2FastLaunchDefaultResourceCreation"  # AWS creates one for each image without one
_INTENT = ("intended_fast_launch", "intended_by")
_MOVING_VERSIONS: Final = ("$Latest", "$Default")
_TEMPLATE = ("launch_template_id", "launch_template_name", "launch_template_version")
_UNUSABLE_KEY = ("Disabled", "PendingDeletion", "PendingReplicaDeletion", "Unavailable")


# --- images without Fast Launch -------------------------------------------------------


@rule(
    "without-fast-launch",
    "info",
    "a Windows AMI has no Fast Launch, but its copy or its namesake elsewhere does",
    source="packer-plugin-amazon 445, 451, and 506, 509",
    statement="The setting is not copied with an AMI (445, 451). But some leave it off where few "
    "instances start (506, 509): a difference is a question, not a fault.",
    reads=("siblings_without_fast_launch",),
    advises="decide whether launches there need it",
)
def find_images_without_fast_launch(facts: RuleInput) -> Problems:
    """Find Windows AMIs without Fast Launch that have it elsewhere."""
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

    advice = (
        "Look whether instances of it start here. If they do and a slow start matters, enable "
        "Fast Launch with a launch template of this account and region."
    )
    evidence = RowText(describe, "image_name", "_from")
    return make_problems(rows, evidence, advice, row_command(list_instances, "image_id"))


@rule(
    "successor-without",
    "medium",
    "a newer AMI is in use without Fast Launch, but the AMI that it follows has it",
    source="packer-plugin-amazon 445",
    statement="Each new AMI must be enabled again: the setting stays with the old one.",
    reads=("successor_in_use",),
    advises="enable it for the new AMI, disable it for the old one",
    yields_to=ENDING_RULES,
)
def find_successors(facts: RuleInput) -> Problems:
    """Find images with Fast Launch whose newer AMI is launched without it."""
    images = facts.images
    is_on = images["state"].isin(ACTIVE_STATES)
    rows = where_true(images, is_on & images["successor_in_use"].fillna("").ne(""))

    def describe(successor: str, launched: Any) -> str:
        own = f"; this one was last launched {format_time(launched)}" if is_known(launched) else ""
        return f"{to_single_line(successor)} is newer and was launched without Fast Launch{own}"

    advice = (
        "Enable Fast Launch for the newer AMI, with the settings of this one. Disable it here when "
        "nothing launches this AMI any more."
    )
    evidence = RowText(describe, "successor_in_use", "image_last_launched_time")
    command = row_command(list_amis, "successor_in_use")
    return make_problems(rows, evidence, advice, command)


# --- launch templates and keys --------------------------------------------------------


def _name_template(template_id: Any, name: Any, version: Any) -> str:
    template = to_single_line(name if is_known(name) else template_id)
    number = f"version {to_single_line(version)}" if is_known(version) else "an unknown version"
    return f"{number} of {template}"


def _list_versions(region: Any, template_id: Any, name: Any) -> Step:
    identity = ("id", template_id) if is_known(template_id) else ("name", name)
    option = f"--launch-template-{identity[0]}"
    return make_step("ec2", "describe-launch-template-versions", region, option, identity[1])


@rule(
    "forbidden-template",
    "high",
    "the launch template has settings that Fast Launch does not allow",
    source="EC2 User Guide: Prerequisites for EC2 Fast Launch",
    statement="The template must not have user data, termination protection, disabled metadata, "
    "Spot, terminate on shutdown, or tags for network interfaces, elastic GPUs or Spot requests.",
    reads=("template_forbidden",),
    advises="make a version without these settings, then enable with that version",
    yields_to=ENDING_RULES,
)
def find_forbidden_templates(facts: RuleInput) -> Problems:
    """Find launch templates with settings that Fast Launch forbids."""
    images = facts.images
    is_forbidden = images["template_forbidden"].fillna("").ne("")
    rows = where_true(images, is_forbidden & images["state"].isin(ENABLED_STATES))

    def describe(settings: str, *template: Any) -> str:
        return f"forbidden in {_name_template(*template)}: {to_single_line(settings)}"

    advice = (
        "Look at the versions of the launch template. Create one without these settings, and "
        "enable Fast Launch again with the number of that new version."
    )
    evidence = RowText(describe, "template_forbidden", *_TEMPLATE)
    command = row_command(_list_versions, *_TEMPLATE[:2])
    return make_problems(rows, evidence, advice, command)


@rule(
    "moving-template",
    "medium",
    "Fast Launch uses the launch template's $Latest or $Default version",
    source="AWS's security notice of 2026-08-14",
    statement="AWS resolves these versions at each preparation. So whoever may edit the template "
    "may pass any role to these instances, without iam:PassRole.",
    reads=("state",),
    advises="enable with the number of a version",
    yields_to=(*ENDING_RULES, "forbidden-template"),
)
def find_moving_templates(facts: RuleInput) -> Problems:
    """Find images whose launch template can change without a request to Fast Launch."""
    images = facts.images
    is_moving = images["launch_template_version"].isin(_MOVING_VERSIONS)
    rows = where_true(images, is_moving & images["state"].isin(ENABLED_STATES))

    def describe(*template: Any) -> str:
        return f"{_name_template(*template)}: AWS resolves it at each preparation"

    advice = (
        "Look at the versions and at who may edit the template. Enable Fast Launch again with the "
        "number of the version that you want."
    )
    evidence = RowText(describe, *_TEMPLATE)
    command = row_command(_list_versions, *_TEMPLATE[:2])
    return make_problems(rows, evidence, advice, command)


@rule(
    "imds-v2",
    "high",
    "the account enforces IMDSv2, but the launch template does not require it",
    source="EC2 User Guide: Configure the Instance Metadata Service options, 2026-02-24",
    statement="Where an account enforces IMDSv2, a launch without HttpTokens=required fails, and "
    "so do preparation instances.",
    reads=("imds_http_tokens_enforced", "template_http_tokens"),
    advises="make a version with HttpTokens=required, then enable with that version",
    yields_to=(*ENDING_RULES, "forbidden-template"),
)
def find_templates_without_imds_v2(facts: RuleInput) -> Problems:
    """Find launch templates with which no preparation instance can start."""
    images = facts.images
    is_enforced = images["imds_http_tokens_enforced"].isin(["enabled"])
    is_optional = images["template_http_tokens"].isin(["optional", ""])
    is_on = images["state"].isin(ENABLED_STATES)
    rows = where_true(images, is_enforced & is_optional & is_on)

    def describe(tokens: str, *template: Any) -> str:
        value = to_single_line(tokens) if tokens else "not set"
        in_template = f"HttpTokens is {value} in {_name_template(*template)}"
        return f"IMDSv2 is enforced; {in_template}"

    advice = (
        "Create a version of the launch template with HttpTokens=required, and enable Fast Launch "
        "again with its number."
    )
    evidence = RowText(describe, "template_http_tokens", *_TEMPLATE)
    command = row_command(_list_versions, *_TEMPLATE[:2])
    return make_problems(rows, evidence, advice, command)


@rule(
    "kms-key",
    "high",
    "Fast Launch cannot use the key that encrypts the AMI, or perhaps cannot",
    source="EC2 User Guide: Prerequisites for EC2 Fast Launch; KMS Developer Guide: Key states",
    statement="For an AMI that a customer managed key encrypts, AWSServiceRoleForEC2FastLaunch "
    "needs a grant. A key that is disabled or pending deletion decrypts nothing.",
    reads=("kms_key_id",),
    advises="enable the key or create the grant",
    yields_to=ENDING_RULES,
)
def find_unusable_keys(facts: RuleInput) -> Problems:
    """Find images whose key is disabled, pending deletion or without a grant."""
    images = facts.images
    is_unusable = images["kms_key_state"].isin(_UNUSABLE_KEY)
    is_missing = images["kms_grant"].isin(["missing"])
    rows = where_true(images, (is_unusable | is_missing) & images["state"].isin(ENABLED_STATES))

    def describe(key: Any, state: Any) -> str:
        name = to_single_line(key) if is_known(key) else "the key"
        if is_known(state) and state in _UNUSABLE_KEY:
            return f"{name} is {to_single_line(state)}"
        return f"no grant of {name} names AWSServiceRoleForEC2FastLaunch; its policy may"

    def look(region: Any, key: Any) -> Step:
        return make_step("kms", "describe-key", region, "--key-id", key)

    advice = (
        "Look at the key and its policy. Enable it or cancel its deletion. If nothing lets "
        "AWSServiceRoleForEC2FastLaunch use it, create a grant for that role."
    )
    evidence = RowText(describe, "kms_key_id", "kms_key_state")
    is_severe = rows["kms_key_state"].isin(_UNUSABLE_KEY)
    severity = is_severe.map({True: "high", False: "medium"})
    return make_problems(rows, evidence, advice, row_command(look, "kms_key_id"), severity=severity)


# --- drift ----------------------------------------------------------------------------


@rule(
    "drift",
    "low",
    "the settings differ from what Image Builder intends, or from those elsewhere",
    source="Image Builder API Reference: FastLaunchConfiguration; packer-plugin-amazon 506, 509",
    statement="A distribution configuration states the intended settings for an account and "
    "region. The reports ask for settings for each region, so a difference alone is a question.",
    reads=("target_resource_count", "max_parallel_launches"),
    silent="the images have different names and no configuration states an intent",
    advises="compare with the intent, or ask whether the difference is meant",
    yields_to=(*ENDING_RULES, "failed", "cold-launches", "below-target"),
)
def find_drift(facts: RuleInput) -> pd.DataFrame:
    """Find images that differ from their intent, or from the same name in the account."""
    names = [*KEY, "image_name", *_COMPARED_SETTINGS, *_INTENDED.values(), *_INTENT]
    images = where_true(facts.images[names], facts.images["state"].isin(ACTIVE_STATES))
    has_intent = images["intended_fast_launch"].isin(["enabled"])
    parts = _find_deviations(images[has_intent]), _find_differences(images[~has_intent])
    return pd.concat([part.compose(part.rows) for part in parts])


def _find_deviations(images: pd.DataFrame) -> Problems:
    """Find images that differ from what Image Builder intends."""
    differs = [images[name].ne(images[intended]) for name, intended in _INTENDED.items()]
    rows = where_true(images, pd.concat(differs, axis=1).fillna(value=False).any(axis=1))

    def describe(source: Any, *values: Any) -> str:
        differences = "; ".join(_compare_with_intent(*values))
        return f"{differences}, by {to_single_line(source)}"

    advice = (
        "Look at who changed it. Enable Fast Launch with the intended settings, or change the "
        "distribution configuration."
    )
    evidence = RowText(describe, "intended_by", *_INTENDED, *_INTENDED.values())
    return make_problems(rows, evidence, advice, severity="low")


def _compare_with_intent(*values: Any) -> list[str]:
    half = len(_INTENDED)
    return [
        f"{_COMPARED_SETTINGS[name]} {actual:,}, intended {intended:,}"
        for name, actual, intended in zip(_INTENDED, values[:half], values[half:], strict=True)
        if is_known(actual) and is_known(intended) and actual != intended
    ]


def _find_differences(images: pd.DataFrame) -> Problems:
    """Find images with the same name and account but different settings: a question."""
    images = where_true(images, images["image_name"].notna())
    by_aws = images["launch_template_name"].fillna("").str.startswith(_AWS_TEMPLATE)
    name = "launch_template_name"
    images = images.assign(**{name: images[name].mask(by_aws)})
    images = images[_differ_in_group(images, ["account_id", "image_name"], _COMPARED_SETTINGS)]
    usual = {
        f"_{name}": values
        for name in _COMPARED_SETTINGS
        if (values := _find_usual(images, name)) is not None
    }
    names = [name.removeprefix("_") for name in usual]
    differs = [images[name].ne(usual[f"_{name}"]).fillna(False) for name in names]
    is_different = pd.concat(differs, axis=1).any(axis=1) if differs else images["region"].isin([])
    rows = where_true(images.assign(**usual), is_different)

    def describe(*values: Any) -> str:
        pairs = zip(names, values[: len(names)], values[len(names) :], strict=True)
        return "; ".join(
            f"{_COMPARED_SETTINGS[name]} {to_single_line(value)}, elsewhere {to_single_line(other)}"
            for name, value, other in pairs
            if is_known(value) and is_known(other) and value != other
        )

    advice = "Ask whether the difference is meant: regions may need different settings."
    evidence = RowText(describe, *names, *usual)
    return make_problems(rows, evidence, advice, severity="info")


def _differ_in_group(
    images: pd.DataFrame, group: Iterable[str], columns: Iterable[str]
) -> npt.NDArray[np.bool_]:
    """Return a mask of the rows in a group of which any column has several values.

    Most groups have none, and numbers are compared faster than text.
    """
    groups, values = (
        pd.DataFrame({name: pd.factorize(images[name])[0] for name in names})
        for names in (group, columns)
    )
    by_group = values.groupby(groups.groupby(list(groups)).ngroup())
    differs = by_group.transform("min").ne(by_group.transform("max")).any(axis=1)
    return differs.to_numpy()


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
