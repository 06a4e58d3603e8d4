"""The demo fleet: its images, accounts and resources."""

from __future__ import annotations

from itertools import product

import boto3
import pandas as pd

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.change_log import CHANGE_LOG
from fastlaunch_nb.schema.columns import API_STATES, EXAMPLE_ACCOUNTS, KEY
from tests.helpers.cases import some


def read_fleet(demo: Demo) -> pd.DataFrame:
    """Return all images of the demo."""
    frames = [
        fl.describe(boto3.Session(profile_name=profile), region=region)
        for profile in demo.accounts.values()
        for region in demo.regions
    ]
    return pd.concat(frames, ignore_index=True)


def test_the_fleet_has_every_state_and_missing_values(demo: Demo) -> None:
    """The fleet is 42 images in two accounts and three regions, with all states and some nulls."""
    images = read_fleet(demo)
    assert set(images["account_id"]) == set(demo.accounts) < EXAMPLE_ACCOUNTS
    assert set(images["region"]) == set(demo.regions)
    assert len(images) == demo.images == 42
    assert set(images["state"]) == set(API_STATES)
    for column in ("owner_id", "target_resource_count", "launch_template_name"):
        assert 0 < images[column].isna().sum() < len(images)
    assert not images.duplicated(list(KEY)).any()


def test_one_image_is_shared(demo: Demo) -> None:
    """game-servers has Fast Launch for an AMI of build-farm, without an owner id in the answer."""
    images = read_fleet(demo)
    [shared] = images[images["owner_id"].isna()].to_dict("records")
    assert demo.accounts[shared["account_id"]] == "game-servers"
    user = boto3.Session(profile_name="game-servers").client("ec2", region_name=shared["region"])
    [ami] = user.describe_images(ExecutableUsers=["self"])["Images"]
    assert ami["ImageId"] == shared["image_id"]
    assert demo.accounts[ami["OwnerId"]] == "build-farm"
    owned = images.dropna(subset="owner_id")
    assert owned["owner_id"].tolist() == owned["account_id"].tolist() != []


def test_launch_templates_have_the_versions_of_images(demo: Demo) -> None:
    """The launch template version of every image exists."""
    images = read_fleet(demo).dropna(subset="launch_template_id")
    for image in some(images.drop_duplicates("launch_template_id").to_dict("records")):
        session = boto3.Session(profile_name=demo.accounts[image["account_id"]])
        ec2 = session.client("ec2", region_name=image["region"])
        name = image["launch_template_name"]
        answer = ec2.describe_launch_template_versions(LaunchTemplateName=name)
        versions = answer["LaunchTemplateVersions"]
        ids = {version["LaunchTemplateId"] for version in versions}
        assert ids == {image["launch_template_id"]}
        same_template = images["launch_template_id"] == image["launch_template_id"]
        used = set(images.loc[same_template, "launch_template_version"])
        assert used <= {"$Latest", *(str(version["VersionNumber"]) for version in versions)}


def test_images_have_names(demo: Demo) -> None:
    """DescribeImages names every image except the deregistered one."""
    names: dict[str, str] = {}
    for profile, region in product(demo.accounts.values(), demo.regions):
        client = boto3.Session(profile_name=profile).client("ec2", region_name=region)
        names |= {ami["ImageId"]: ami["Name"] for ami in client.describe_images()["Images"]}
    assert {name[:3] for name in names.values()} == {"win"}
    assert len(set(read_fleet(demo)["image_id"]) - set(names)) == 1


def test_the_organization_lists_its_accounts(demo: Demo) -> None:
    """The organization lists all accounts, with and without images; a role works in each."""
    members = demo.session.client("organizations").list_accounts()["Accounts"]
    assert {account["Id"] for account in members} == EXAMPLE_ACCOUNTS
    status = {account["Name"]: account["Status"] for account in members}
    active = dict.fromkeys(("build-farm", "game-servers", "sandbox"), "ACTIVE")
    assert status == {**active, "retired": "SUSPENDED"}
    joined = [account["JoinedTimestamp"] for account in members]
    assert max(joined) <= min(change.time for change in CHANGE_LOG)
    sts = demo.session.client("sts")
    for account_id in some(demo.accounts):
        role = f"arn:aws:iam::{account_id}:role/demo"
        keys = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        assert fl.describe(session)["account_id"].unique().tolist() == [account_id]


def test_every_account_is_in_one_unit(demo: Demo) -> None:
    """The units below the root list the accounts, and the root itself has none."""
    client = demo.session.client("organizations")
    [root] = client.list_roots()["Roots"]

    def list_names(parent_id: str) -> list[str]:
        accounts = client.list_accounts_for_parent(ParentId=parent_id)["Accounts"]
        return [account["Name"] for account in accounts]

    units = client.list_organizational_units_for_parent(ParentId=root["Id"])["OrganizationalUnits"]
    tree = {unit["Name"]: list_names(unit["Id"]) for unit in units}
    assert tree == {"Production": ["build-farm", "game-servers"], "Sandbox": ["sandbox", "retired"]}
    assert list_names(root["Id"]) == []
