"""Intents: the settings of Image Builder for the names, accounts and regions that it makes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fastlaunch_nb.joins import merge
from fastlaunch_nb.joins.intents import fetch_intents, make_name_pattern
from fastlaunch_nb.schema.arrow import make_table
from tests.helpers.joins import assert_declared, list_values
from tests.helpers.region_client import CannedRegionClient, create_account_region
from tests.helpers.samples import ACCOUNT, REGION

ARN = "arn:aws:imagebuilder:us-east-1:123456789012:distribution-configuration/win"
NAME = "win-{{ imagebuilder:buildDate }}"
IMAGE = "win-2026-01-14T12-30-15.912619Z"
ENABLED: dict[str, Any] = {
    "enabled": True,
    "snapshotConfiguration": {"targetResourceCount": 7},
    "maxParallelLaunches": 6,
    "launchTemplate": {"launchTemplateName": "builder", "launchTemplateVersion": "3"},
}
INTENDED = {
    "intended_fast_launch": "enabled",
    "intended_target_resource_count": 7,
    "intended_max_parallel_launches": 6,
    "intended_launch_template": "builder:3",
    "intended_by": ARN,
}
UNKNOWN = dict.fromkeys(INTENDED)


def make_distribution(
    *settings: dict[str, Any], region: str = REGION, name: str | None = NAME
) -> dict[str, Any]:
    """Return a distribution to a region."""
    amis = {} if name is None else {"name": name}
    return {
        "region": region,
        "amiDistributionConfiguration": amis,
        "fastLaunchConfigurations": list(settings),
    }


def find_intent(
    *distributions: dict[str, Any],
    name: str | None = IMAGE,
    region: str = REGION,
    account_id: str = ACCOUNT,
) -> dict[str, Any]:
    """Return the intent for an image; each distribution is in a configuration of its own."""
    arns = [ARN, *(f"{ARN}-{number}" for number in range(1, len(distributions)))]
    by_arn = dict(zip(arns, distributions, strict=False))
    client = CannedRegionClient(
        ListDistributionConfigurations={
            "distributionConfigurationSummaryList": [{"arn": arn} for arn in by_arn]
        },
        GetDistributionConfiguration=lambda request: {
            "distributionConfiguration": {
                "distributions": [by_arn[request["distributionConfigurationArn"]]]
            }
        },
    )
    account_region = create_account_region(client, 1)
    table = make_table(fetch_intents(account_region), merge.INTENTS)
    row = {"account_id": account_id, "region": region, "image_id": "ami-0", "image_name": name}
    images = make_table([row], merge.LISTED)
    found = merge.join_intent(images, images, table, {(ACCOUNT, REGION)})
    assert_declared("intent", found, images)
    [intent] = list_values(found)
    return intent


def test_the_intent_of_an_image() -> None:
    """It has the settings and the ARN of the configuration with its name."""
    assert find_intent(make_distribution(ENABLED)) == INTENDED


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"enabled": False}, {"intended_fast_launch": "disabled"}),
        ({"enabled": True}, {"intended_fast_launch": "enabled"}),
        (
            {"enabled": True, "launchTemplate": {"launchTemplateId": "lt-1"}},
            {"intended_fast_launch": "enabled", "intended_launch_template": "lt-1"},
        ),
        ({"snapshotConfiguration": {}}, {}),
    ],
)
def test_settings_that_are_left_out_are_null(
    settings: dict[str, Any], changes: dict[str, Any]
) -> None:
    """A configuration states only what it has; nothing is filled in."""
    expected = {**UNKNOWN, "intended_by": ARN, **changes}
    assert find_intent(make_distribution(settings)) == expected


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, INTENDED),
        ({"name": None}, UNKNOWN),
        ({"name": "win-core-2026-01-14T12-30-15.912619Z"}, UNKNOWN),
        ({"name": "my-" + IMAGE}, UNKNOWN),
        ({"region": "eu-west-1"}, UNKNOWN),
        ({"account_id": "111122223333"}, UNKNOWN),
    ],
)
def test_an_intent_is_for_one_name_account_and_region(
    image: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Any difference means that the configuration is about other AMIs."""
    assert find_intent(make_distribution(ENABLED), **image) == expected


def test_an_intent_for_another_account() -> None:
    """The account in the settings counts, which may differ from the one that was read."""
    distribution = make_distribution({**ENABLED, "accountId": "111122223333"}, region="eu-west-1")
    assert find_intent(distribution) == UNKNOWN
    image = {"account_id": "111122223333", "region": "eu-west-1"}
    assert find_intent(distribution, **image) == INTENDED


def test_configurations_that_agree_and_that_contradict() -> None:
    """If several say the same, the first counts; if they contradict, nothing is known."""
    assert find_intent(*[make_distribution(ENABLED)] * 2) == INTENDED
    other = {**ENABLED, "maxParallelLaunches": 9}
    assert find_intent(make_distribution(ENABLED), make_distribution(other)) == UNKNOWN


def test_a_configuration_without_a_name_is_about_no_image() -> None:
    """Image Builder then uses the name of the recipe, which no read has."""
    assert find_intent(make_distribution(ENABLED, name=None)) == UNKNOWN
    assert find_intent(make_distribution()) == UNKNOWN
    assert find_intent() == UNKNOWN


@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("win {{imagebuilder:buildDate}}", "win 2026-01-14T12-30-15.912Z", True),
        ("win-{{ imagebuilder:buildVersion }}", "win-7", True),
        ("win-{{ imagebuilder:buildVersion }}", "win-x", False),
        ("{{ my:team }}-{{ imagebuilder:buildDate }}", "core-2026-01-14", True),
        ("win", "win", True),
        ("w.n", "win", False),
        ("win.*", "win2022", False),
    ],
)
def test_names_that_a_pattern_matches(name: str, image: str, expected: bool) -> None:
    """Variables match what Image Builder puts in their place; all else is literal."""
    assert bool(re.fullmatch(make_name_pattern(name), image)) is expected


def test_images_that_were_not_read_are_unknown() -> None:
    """Without any account and region, every column is null."""
    row = {"account_id": ACCOUNT, "region": REGION, "image_id": "ami-0", "image_name": IMAGE}
    images = make_table([row] * 2, merge.LISTED)
    found = merge.join_intent(images, images, make_table([], merge.INTENTS), set())
    assert list_values(found) == [UNKNOWN] * 2
