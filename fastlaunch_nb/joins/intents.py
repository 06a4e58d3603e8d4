"""Intents: the settings of Fast Launch in Image Builder's distribution configurations.

They say per region and account what a team meant, for the AMIs whose names they make.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from fastlaunch_nb.joins.queries import AccountRegion, Row

SETTINGS: Final = (
    "intended_fast_launch",
    "intended_target_resource_count",
    "intended_max_parallel_launches",
    "intended_launch_template",
)
"""The columns of settings: configurations of one image may agree on them, or not."""
_VARIABLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_BUILD = re.compile(r"imagebuilder:build(Date|Version)")
_BUILD_PATTERN = r"\d[\dTZ.:_-]*"


def fetch_intents(region: AccountRegion) -> list[Row]:
    """Return the settings for each name, account and region that an account distributes to."""
    summaries = region.client.iter_items(
        "imagebuilder", "ListDistributionConfigurations", "distributionConfigurationSummaryList", {}
    )
    rows = []
    for arn in [summary.get("arn") for summary in summaries]:
        request = {"distributionConfigurationArn": arn}
        operation, result_key = "GetDistributionConfiguration", "distributionConfiguration"
        [answer] = region.client.iter_pages("imagebuilder", operation, result_key, request)
        for distribution in (answer.get(result_key) or {}).get("distributions", ()):
            name = (distribution.get("amiDistributionConfiguration") or {}).get("name")
            for settings in distribution.get("fastLaunchConfigurations", ()):
                row = {
                    "account_id": settings.get("accountId") or region.account_id,
                    "region": distribution.get("region"),
                    "name_pattern": name and make_name_pattern(name),
                    "intended_by": arn,
                }
                rows.append({**row, **_make_settings(settings)})
    return rows


def make_name_pattern(name: str) -> str:
    """Return a pattern for the names that Image Builder makes; its variables match their forms.

    Examples
    --------
    >>> pattern = make_name_pattern("win-{{ imagebuilder:buildDate }}")
    >>> bool(re.fullmatch(pattern, "win-2026-01-14T12-30-15.912619Z"))
    True
    >>> bool(re.fullmatch(pattern, "win-core-2026-01-14T12-30-15.912619Z"))
    False
    """
    parts = _VARIABLE.split(name)  # texts and variables in turn
    return "".join(
        (_BUILD_PATTERN if _BUILD.fullmatch(part) else ".+") if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )


def _make_settings(settings: Mapping[str, Any]) -> Row:
    template = settings.get("launchTemplate") or {}
    name = template.get("launchTemplateId") or template.get("launchTemplateName")
    version = template.get("launchTemplateVersion")
    enabled = {True: "enabled", False: "disabled"}.get(settings.get("enabled"))  # type: ignore[arg-type]
    snapshots = settings.get("snapshotConfiguration") or {}
    return {
        "intended_fast_launch": enabled,
        "intended_target_resource_count": snapshots.get("targetResourceCount"),
        "intended_max_parallel_launches": settings.get("maxParallelLaunches"),
        "intended_launch_template": name and (f"{name}:{version}" if version else name),
    }


def match_intents(images: pd.DataFrame, intents: pd.DataFrame) -> pd.DataFrame:
    """Return the intent for each image by its account, region and name.

    It is null for an image without one, and where configurations contradict each other.
    """
    columns = [*SETTINGS, "intended_by"]
    by_region: dict[Any, list[dict[Any, Any]]] = {}
    for intent in intents.dropna(subset="name_pattern").to_dict("records"):
        by_region.setdefault((intent["account_id"], intent["region"]), []).append(intent)
    rows = []
    for account_id, region, name in images[["account_id", "region", "image_name"]].to_numpy():
        matches = [
            intent
            for intent in by_region.get((account_id, region), ())
            if not pd.isna(name) and re.fullmatch(intent["name_pattern"], name)
        ]
        same = {tuple(str(intent[setting]) for setting in SETTINGS) for intent in matches}
        rows.append({name: matches[0][name] for name in columns} if len(same) == 1 else {})
    return pd.DataFrame(rows, columns=columns, index=images.index)
