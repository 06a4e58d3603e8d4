"""Filters as code: each kind runs, and keeps the rows that Filters keep."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

import boto3
import jmespath
import pandas as pd
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import fastlaunch_nb as fl
from fastlaunch_nb.demo import Demo
from fastlaunch_nb.frame import Filters

from .conftest import ACCOUNT, HOSTILE, REGION, SINCE, ZOO, item
from .test_filters import IMAGES, ODD, kept, selections

NAMED = [
    item(n, LaunchTemplate={"LaunchTemplateName": name}, StateTransitionReason=name)
    for n, name in enumerate(["'", '"', "`", "\\", "\\`", "$(id)", "ß", "a b\nc"], 20)
]
EC2 = boto3.client("ec2", REGION).meta.service_model
ASKED = EC2.operation_model("DescribeFastLaunchImages").input_shape
EC2 = boto3.client("ec2", REGION).meta.service_model
ASKED = EC2.operation_model("DescribeFastLaunchImages").input_shape
ITEMS = [*NAMED, *(each for _, _, items in ZOO for each in items)]


def ran(code: str, **names: Any) -> Any:
    """Run code, and return what it calls `chosen`, or else `images`."""
    exec(compile(code, "code", "exec"), names)  # noqa: S102
    return names.get("chosen", names.get("images"))


# --- pandas ---------------------------------------------------------------------------


@given(filters=selections(names=ODD, texts=ODD))
def test_pandas(filters: Filters) -> None:
    """Law: it runs, and makes the same rows of the same frame, whatever is in the text."""
    code = filters.to_code("pandas")
    assert_frame_equal(ran(code, images=IMAGES), IMAGES[kept(IMAGES, filters)])
    assert ran(code, images=IMAGES.iloc[:0]).empty


# --- the AWS CLI ----------------------------------------------------------------------


def printed(image: dict[str, Any], form: str) -> dict[str, Any]:
    """Return an item as the AWS CLI has it when it looks for what a query wants."""
    since = image.get("StateTransitionTime")
    if not since:
        return image
    wire = f"{since:%Y-%m-%dT%H:%M:%S}.{since.microsecond // 1000:03d}Z"
    return {**image, "StateTransitionTime": since.isoformat() if form == "iso" else wire}


def answered(command: str, images: list[dict[str, Any]], form: str) -> list[str]:
    """Play the AWS CLI: check what is asked by botocore, filter as EC2 does, query by JMESPath."""
    words = shlex.split(command)
    assert words[:3] == ["aws", "ec2", "describe-fast-launch-images"]
    options: dict[str, list[str]] = {}
    for word in words[3:]:
        if word.startswith("--"):
            values = options.setdefault(word, [])
        else:
            values.append(word)
    asked: dict[str, Any] = {"ImageIds": options.pop("--image-ids", [])}
    asked["Filters"] = json.loads("".join(options.pop("--filters", ["[]"])))
    assert not ParamValidator().validate(asked, ASKED).has_errors()
    fields = {"state": "State", "owner-id": "OwnerId", "resource-type": "ResourceType"}
    there = [
        printed(image, form)
        for image in images
        if (not asked["ImageIds"] or image["ImageId"] in asked["ImageIds"])
        and all(image.get(fields[f["Name"]]) in f["Values"] for f in asked["Filters"])
    ]
    [query] = options.pop("--query", ["FastLaunchImages"])
    assert options == {"--profile": ["a profile"], "--region": [REGION]}
    return [image["ImageId"] for image in jmespath.search(query, {"FastLaunchImages": there})]


@given(
    filters=selections(names=ODD),
    text=st.sampled_from(["", "", "", "12", "00000000001 123", "us-east", "=", '"', "`", "$("]),
    form=st.sampled_from(["iso", "wire"]),
)
def test_cli(filters: Filters, text: str, form: str) -> None:
    """Law: it is one command whose parts botocore takes, and its query finds the same rows."""
    ours = replace(
        filters, account_id=(ACCOUNT,), region=(REGION,), available_snapshots=None, text=text
    )
    if not all(value is None or value.startswith("ami-") for value in ours.image_id):
        ours = replace(ours, image_id=())
    code = ours.to_code("cli", profiles={ACCOUNT: "a profile"})
    images = fl.from_pages(ITEMS, account_id=ACCOUNT, region=REGION)
    assert answered(code, ITEMS, form) == images[kept(images, ours)]["image_id"].tolist()


@pytest.mark.parametrize("microseconds", [-1000, -999, -1, 0, 1, 999, 1000])
@pytest.mark.parametrize("since", [SINCE, SINCE.replace(microsecond=0)])
@pytest.mark.parametrize("form", ["iso", "wire"])
def test_cli_compares_times_to_the_end(microseconds: int, since: Any, form: str) -> None:
    """An end just beside a transition is before or after it, with and without milliseconds."""
    images = [item(1, StateTransitionTime=since)]
    end = pd.Timestamp(since) + pd.Timedelta(microseconds=microseconds)
    for span in ((end, None), (None, end), (end, end)):
        filters = Filters(state_transition_time=span, region=REGION)
        code = filters.to_code("cli", profiles={ACCOUNT: "a profile"})
        left = filters.apply(fl.from_pages(images, region=REGION))
        assert len(answered(code, images, form)) == len(left)
    forever = Filters(state_transition_time=(None, "9999-12-31T23:59:59.999999Z"), region=REGION)
    code = forever.to_code("cli", profiles={ACCOUNT: "a profile"})
    assert len(answered(code, images, form)) == 1


# --- boto3, and a call of ours --------------------------------------------------------


def keys(rows: Any) -> list[tuple[str, str]]:
    """Return the region and id of each row, in order."""
    if isinstance(rows, pd.DataFrame):
        return sorted(zip(rows["region"], rows["image_id"], strict=True))
    return sorted((row["Region"], row["ImageId"]) for row in rows)


@pytest.mark.filterwarnings("ignore:filters has the state")
def test_boto3_and_ours(demo: Demo) -> None:
    """Against the embedded EC2 each runs and finds what Filters finds in all that there is."""
    profiles = demo.accounts
    everything = fl.sweep(fl.targets(profiles=[*profiles.values()]), regions=demo.regions).images
    first = everything.iloc[0]
    middle = everything["state_transition_time"].sort_values().iloc[len(everything) // 2]
    [template, *_] = everything["launch_template_name"].dropna()
    for filters in (
        Filters(),
        Filters(state=["enabled", "enabling"], region=demo.regions[1]),
        Filters(account_id=first["account_id"], text="CLIENT us"),
        Filters(owner_id=[None, first["owner_id"]], target_resource_count=(6, None)),
        Filters(image_id=first["image_id"]),
        Filters(launch_template=[None, template]),
        Filters(state_transition_time=(middle, None), max_parallel_launches=(None, 8)),
        Filters(state=HOSTILE),
    ):
        there = keys(filters.apply(everything))
        asked: dict[str, Any] = {"regions": demo.regions, "profiles": profiles}
        assert keys(ran(filters.to_code("boto3", **asked))) == there
        assert keys(ran(filters.to_code("fastlaunch", **asked))) == there


def test_ones_own_account_and_region(demo: Demo) -> None:
    """Told no place, both read where one's own credentials lead, and tell the account."""
    images = fl.describe()
    account = images["account_id"].iloc[0]
    filters = Filters(account_id=account, text=account)
    for kind in ("boto3", "fastlaunch"):
        code = filters.to_code(kind)
        assert code.startswith(f"# With credentials of {account}\n")
        assert keys(ran(code)) == keys(images)
        assert keys(ran(Filters(account_id="123123123123").to_code(kind))) == []
    assert len(demo.regions) > 1


# --- what can not be written ----------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "filters"),
    [
        ("cli", Filters(text="runner")),
        ("cli", Filters(text="12")),
        ("cli", Filters(text="ß", region=REGION)),
        *((kind, Filters(available_snapshots=(1, 2))) for kind in ("cli", "boto3", "fastlaunch")),
        *((kind, Filters(image_id="a\nrm x")) for kind in ("cli", "boto3", "fastlaunch")),
        *((kind, Filters(region=[None, "a\nb"])) for kind in ("cli", "boto3", "fastlaunch")),
        *((kind, Filters(account_id=[None])) for kind in ("cli", "boto3", "fastlaunch")),
    ],
)
def test_what_can_not_be_said_is_a_comment(kind: str, filters: Filters) -> None:
    """Rather than code that finds other rows there is one line that says why."""
    code = filters.to_code(kind)
    assert code.startswith("# ")
    assert len(code.splitlines()) == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"kind": "boto"}, "Did you mean 'boto3'"),
        ({"kind": "pandas", "regions": [REGION]}, "leave regions and profiles out"),
        ({"kind": "pandas", "profiles": {}}, "leave regions and profiles out"),
        ({"kind": "cli", "regions": REGION}, "regions is"),
        ({"kind": "cli", "regions": ["a; b"]}, "region is"),
        ({"kind": "cli", "profiles": ["x"]}, "a dict"),
        ({"kind": "cli", "profiles": {"1": "x"}}, "account_id is"),
        ({"kind": "cli", "profiles": {ACCOUNT: "x\ny"}}, "name of a profile"),
        ({"kind": "cli", "profiles": {"111122223333": "x"}}, f"none for {ACCOUNT}"),
    ],
)
def test_refused(asked: dict[str, Any], why: str) -> None:
    """A kind that is none, and places that are none, are refused."""
    with pytest.raises(fl.InputError, match=why):
        Filters(account_id=ACCOUNT).to_code(**asked)
