"""Rules about settings: forbidden, drifting, and images that the setting never reached."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fastlaunch_nb.formatting import single_line
from fastlaunch_nb.rules import cli_commands
from fastlaunch_nb.rules.rule import (
    Rule,
    RuleInput,
    is_known,
    map_rows,
    where_true,
    with_evidence,
)
from fastlaunch_nb.schema.columns import KEY, TEXT

_COMPARED = {
    "target_resource_count": "target",
    "max_parallel_launches": "max parallel launches",
    "launch_template_name": "launch template",
    "launch_template_version": "template version",
}
_AWS_MADE = "EC2FastLaunchDefaultResourceCreation"  # one for each image without one of its own
_HAVE_IT = ("enabling", "enabled")


def without_fast_launch(facts: RuleInput) -> pd.DataFrame:
    """Find Windows AMIs without Fast Launch that have it elsewhere under the same name."""
    images = facts.images
    column = "siblings_without_fast_launch"
    rows = where_true(images, images[column].fillna("").ne("") & images["state"].isin(_HAVE_IT))
    rows = rows.assign(
        _from=rows["account_id"].fillna("?") + " in " + rows["region"].fillna("?"),
        _place=rows[column].str.split(", "),
    ).explode("_place")
    rows = rows.sort_values(list(KEY), kind="stable")  # which of two homes it names
    rows = rows.drop_duplicates("_place").reset_index(drop=True)
    places = rows["_place"].str.split("/", n=2, expand=True)
    for number, name in enumerate(KEY):
        rows[name] = places[number].astype(TEXT) if number in places else pd.NA
    said = map_rows(rows, _elsewhere, "image_name", "_from")
    remedy = map_rows(
        rows, cli_commands.enable, *cli_commands.ENABLE_COLUMNS[:4]
    )  # templates stay at home
    return with_evidence(rows, said, remedy)


def _elsewhere(name: Any, place: str) -> str:
    named = single_line(name) if is_known(name) else "An AMI of this name"
    return f"{named} has Fast Launch in account {single_line(place)}, and not here"


def forbidden_template(facts: RuleInput) -> pd.DataFrame:
    """Find launch templates with settings that Fast Launch forbids."""
    rows = where_true(facts.images, facts.images["template_forbidden"].fillna("").ne(""))
    said = map_rows(rows, _forbidden, "template_forbidden", *cli_commands.ENABLE_COLUMNS[4:])
    return with_evidence(rows, said, cli_commands.enabling(rows, {}, _mend))


def _forbidden(forbidden: str, template: Any, name: Any, version: Any) -> str:
    which = single_line(name if is_known(name) else template)
    number = single_line(version) if is_known(version) else "?"
    return f"{single_line(forbidden)} in version {number} of {which}"


def _mend(*settings: Any) -> str:
    region, template, name = settings[0], settings[4], settings[5]
    which = "--launch-template-" + (f"id={template}" if is_known(template) else f"name={name}")
    look = cli_commands.command("ec2", "describe-launch-template-versions", region, which)
    enable = cli_commands.enable(*settings)
    return f"Make a version without it ({look}), and enable with that: {enable}"


def drift(facts: RuleInput) -> pd.DataFrame:
    """Find images of the same name and account whose settings differ between regions."""
    images = where_true(
        facts.images, facts.images["image_name"].notna() & facts.images["state"].isin(_HAVE_IT)
    )
    ours = images["launch_template_name"].fillna("").str.startswith(_AWS_MADE)
    images = images.assign(
        **{name: images[name].mask(ours) for name in _COMPARED if name.startswith("launch_")}
    )
    usual = {column: most for column in _COMPARED if (most := _usual(images, column)) is not None}
    if not usual:
        return images.head(0).assign(evidence="", remedy="")
    odd = {column: images[column].ne(values).fillna(False) for column, values in usual.items()}
    rows = where_true(images, pd.DataFrame(odd).any(axis=1))
    settings = [f"_{column}" for column in usual]
    rows = rows.assign(**{f"_{column}": usual[column] for column in usual})
    said = map_rows(
        rows,
        lambda *values: _difference(list(usual), values),
        *usual,
        *settings,
    )
    return with_evidence(
        rows, said, cli_commands.enabling(rows, {name: f"_{name}" for name in usual})
    )


def _usual(images: pd.DataFrame, column: str) -> pd.Series | None:
    """Return the value that most regions have, for each image; None where all agree.

    Of values that as many have, the least: so that it is the same always.
    """
    names = ["account_id", "image_name"]
    counts = images.groupby([*names, column], as_index=False).size()
    if not counts.duplicated(names).any():
        return None
    most = counts.sort_values(["size", column], ascending=[False, True]).drop_duplicates(names)
    found = images[names].merge(most[[*names, column]], on=names, how="left")[column]
    return found.set_axis(images.index)


def _difference(columns: list[str], values: tuple[Any, ...]) -> str:
    here, elsewhere = values[: len(columns)], values[len(columns) :]
    parts = [
        f"{_COMPARED[column]} {single_line(mine)}, elsewhere {single_line(theirs)}"
        for column, mine, theirs in zip(columns, here, elsewhere, strict=True)
        if is_known(mine) and is_known(theirs) and mine != theirs
    ]
    return "; ".join(parts)


RULES = (
    Rule(
        "without-fast-launch",
        "medium",
        "a Windows AMI has no Fast Launch, and has it under this name elsewhere",
        "packer-plugin-amazon 445, 451: the setting is not copied with an AMI",
        without_fast_launch,
    ),
    Rule(
        "forbidden-template",
        "high",
        "the launch template has settings that Fast Launch does not allow",
        "EC2 User Guide: Prerequisites for EC2 Fast Launch",
        forbidden_template,
    ),
    Rule(
        "drift",
        "low",
        "the same name has other settings in another region of the account",
        "packer-plugin-amazon 506, 509",
        drift,
    ),
)
