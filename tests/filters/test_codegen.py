"""Filters as code: each kind runs, and keeps the rows that Filters keep."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import jmespath
import pandas as pd
import pytest
from botocore.validate import ParamValidator
from hypothesis import example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import fastlaunch_nb as fl
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.filters.codegen import KINDS
from fastlaunch_nb.filters.filters import Filters
from tests.filters.test_filters import IMAGES, ODD, SOME, kept, selections
from tests.helpers.cases import some
from tests.helpers.samples import ACCOUNT, HOSTILE, REGION, SINCE, ZOO, item

NAMED = [
    item(n, LaunchTemplate={"LaunchTemplateName": name}, StateTransitionReason=name)
    for n, name in enumerate(["'", '"', "`", "\\", "\\`", "$(id)", "ß", "a b\nc"], 20)
]
EC2 = boto3.client("ec2", REGION).meta.service_model
ASKED = EC2.operation_model("DescribeFastLaunchImages").input_shape
ITEMS = [*NAMED, *(each for _, _, items in ZOO for each in items)]


FIELDS = {"state": "State", "owner-id": "OwnerId", "resource-type": "ResourceType"}


def as_ec2(
    images: list[dict[str, Any]],
    ids: Iterable[str] = (),
    filters: Iterable[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the items that EC2 would answer with."""
    asked: dict[str, Any] = {"ImageIds": list(ids), "Filters": list(filters)}
    assert not ParamValidator().validate(asked, ASKED).has_errors()
    return [
        image
        for image in images
        if (not asked["ImageIds"] or image["ImageId"] in asked["ImageIds"])
        and all(image.get(FIELDS[f["Name"]]) in f["Values"] for f in asked["Filters"])
    ]


def writable(filters: Filters, text: str) -> Filters:
    """Return a selection in one account and region of which EC2's answer knows everything."""
    ids = all(value is None or value.startswith("ami-") for value in filters.image_id)
    return replace(
        filters,
        account_id=(ACCOUNT,),
        region=(REGION,),
        available_snapshots=None,
        image_id=filters.image_id if ids else (),
        text=text,
    )


def ran(code: str, **names: Any) -> Any:
    """Run code, and return what it calls `chosen`, or else `images`."""
    exec(compile(code, "code", "exec"), names)  # noqa: S102
    return names.get("chosen", names.get("images"))


# --- pandas ---------------------------------------------------------------------------


@pytest.mark.parametrize("filters", SOME)
def test_pandas_one_part_at_a_time(filters: Filters) -> None:
    """It runs, and makes the same rows of the same frame."""
    code = filters.to_code("pandas")
    assert_frame_equal(ran(code, images=IMAGES), IMAGES[kept(IMAGES, filters)])


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
    filters = json.loads("".join(options.pop("--filters", ["[]"])))
    there = as_ec2(
        [printed(image, form) for image in images], options.pop("--image-ids", []), filters
    )
    [query] = options.pop("--query", ["FastLaunchImages"])
    assert options == {"--profile": ["a profile"], "--region": [REGION]}
    return [image["ImageId"] for image in jmespath.search(query, {"FastLaunchImages": there})]


@given(
    filters=selections(names=ODD),
    text=st.sampled_from(["", "", "", "12", "00000000001 123", "us-east", "=", '"', "`", "$("]),
    form=st.sampled_from(["iso", "wire"]),
)
@example(filters=Filters(), text="=", form="wire")
@example(filters=Filters(), text="us-east 12", form="wire")
@example(filters=Filters(state=[None, "enabled"], owner_id=["`"]), text='"', form="iso")
@example(filters=Filters(launch_template=["a b\nc", None]), text="", form="iso")
@example(filters=Filters(launch_template=["`", "\\`"]), text="", form="wire")
@example(filters=Filters(max_parallel_launches=(6, 6)), text="", form="wire")
@example(filters=Filters(max_parallel_launches=(None, 5)), text="", form="wire")
def test_cli(filters: Filters, text: str, form: str) -> None:
    """Law: it is one command whose parts botocore takes, and its query finds the same rows."""
    ours = writable(filters, text)
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


class Answering:
    """As much of boto3 as the code calls; EC2 answers with `ITEMS`, two a page."""

    def __init__(self, region_name: str | None, profile_name: str | None = None) -> None:
        assert (region_name, profile_name) in ((REGION, None), (REGION, "a profile"))
        self.region_name = region_name

    def client(self, service: str) -> Any:
        """Return itself as a client of EC2 or STS."""
        who = SimpleNamespace(get_caller_identity=lambda: {"Account": ACCOUNT})
        return {"ec2": self, "sts": who}[service]

    def get_paginator(self, operation: str) -> Any:
        """Return itself as a paginator."""
        assert operation == "describe_fast_launch_images"
        return self

    def paginate(self, ImageIds: Any = (), Filters: Any = ()) -> Iterator[Any]:  # noqa: N803
        """Yield pages of what EC2 would answer."""
        items = as_ec2(ITEMS, ImageIds, Filters)
        yield from ({"FastLaunchImages": items[n : n + 2]} for n in range(0, len(items) + 1, 2))


def boto3_keeps(filters: Filters, profiles: dict[str, str] | None) -> None:
    """Run the code of boto3, and compare the items that it chooses with the rows of `Filters`."""
    code = filters.to_code("boto3", profiles=profiles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "boto3", SimpleNamespace(Session=Answering))
        chosen = ran(code)
    images = fl.from_pages(ITEMS, account_id=ACCOUNT, region=REGION)
    expected = [item for item, keep in zip(ITEMS, kept(images, filters), strict=True) if keep]
    assert chosen == [{**item, "Region": REGION, "AccountId": ACCOUNT} for item in expected]


@pytest.mark.parametrize("profiles", [None, {ACCOUNT: "a profile"}], ids=["own", "profile"])
@pytest.mark.parametrize("filters", SOME)
def test_boto3_one_part_at_a_time(filters: Filters, profiles: dict[str, str] | None) -> None:
    """It chooses the items that `Filters` keep, and says of each where it is."""
    boto3_keeps(writable(filters, filters.text), profiles)


@given(filters=selections(names=ODD, texts=ODD))
def test_boto3(filters: Filters) -> None:
    """Law: it chooses the items that `Filters` keep, whatever is in the text."""
    boto3_keeps(writable(filters, filters.text), {ACCOUNT: "a profile"})


@pytest.mark.filterwarnings("ignore:filters has the state")
def test_boto3_and_ours(demo: Demo) -> None:
    """Against the embedded EC2 each runs and finds what Filters finds in all that there is."""
    profiles = demo.accounts
    everything = fl.sweep(fl.targets(profiles=[*profiles.values()]), regions=demo.regions).images
    first = everything.iloc[0]
    [template, *_] = everything["launch_template_name"].dropna()
    for filters in (
        Filters(state=["enabled", "enabling", HOSTILE], region=demo.regions[1]),
        Filters(account_id=first["account_id"], text="CLIENT us", region=first["region"]),
        Filters(image_id=first["image_id"], launch_template=[None, template]),
    ):
        there = keys(filters.apply(everything))
        assert there
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


# --- as it reads ----------------------------------------------------------------------

RANGES = Filters(
    owner_id=[None, "1"],
    max_parallel_launches=(6, None),
    state_transition_time=("2026-01-15", None),
)


@pytest.mark.parametrize(
    ("kind", "filters", "code"),
    [
        (
            "fastlaunch",
            Filters(state="enabled"),
            """import fastlaunch_nb as fl

images = fl.describe(
    filters=fl.Filters(state=['enabled']),
)""",
        ),
        (
            "boto3",
            Filters(state="enabled"),
            """import boto3

chosen = []
for region in [None]:
    session = boto3.Session(region_name=region)
    paginator = session.client('ec2').get_paginator('describe_fast_launch_images')
    for page in paginator.paginate(Filters=[{'Name': 'state', 'Values': ['enabled']}]):
        for image in page['FastLaunchImages']:
            chosen.append({**image, 'Region': session.region_name})""",
        ),
        (
            "boto3",
            RANGES,
            """from datetime import datetime

import boto3

def within(value, low, high):
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


chosen = []
for region in [None]:
    session = boto3.Session(region_name=region)
    paginator = session.client('ec2').get_paginator('describe_fast_launch_images')
    for page in paginator.paginate():
        for image in page['FastLaunchImages']:
            if (
                image.get('OwnerId') in [None, '1']
                and within(image.get('MaxParallelLaunches'), 6, None)
                and within(image.get('StateTransitionTime'), \
datetime.fromisoformat('2026-01-15T00:00:00+00:00'), None)
            ):
                chosen.append({**image, 'Region': session.region_name})""",
        ),
        ("cli", Filters(), "aws ec2 describe-fast-launch-images"),
        (
            "cli",
            RANGES,
            "aws ec2 describe-fast-launch-images --query "
            '\'FastLaunchImages[?(contains(`["1"]`, OwnerId) || OwnerId == `null`) '
            "&& MaxParallelLaunches >= `6` "
            "&& StateTransitionTime >= '\"'\"'2026-01-15T00:00:00'\"'\"']'",
        ),
        ("pandas", Filters(), "chosen = images"),
        (
            "pandas",
            RANGES,
            """chosen = images[
    (images['owner_id'].isin(['1']) | images['owner_id'].isna())
    & (images['max_parallel_launches'] >= 6)
    & (images['state_transition_time'] >= '2026-01-15T00:00:00+00:00')
]""",
        ),
    ],
    ids=lambda value: value if value in KINDS else "",
)
def test_it_reads_well(kind: str, filters: Filters, code: str) -> None:
    """Nothing is in the code that these filters do not need."""
    assert filters.to_code(kind) == code


PROFILES = {ACCOUNT: "build", "444455556666": "prod"}


@pytest.mark.parametrize(
    ("filters", "asked", "expected"),
    [
        ({}, {}, [None]),
        ({}, {"regions": ["us-east-1", "eu-west-1"]}, ["us-east-1", "eu-west-1"]),
        ({"region": "eu-west-1"}, {"regions": ["us-east-1"]}, ["eu-west-1"]),
        ({}, {"profiles": PROFILES}, [(ACCOUNT, "build", None), ("444455556666", "prod", None)]),
        ({"account_id": ACCOUNT}, {"profiles": PROFILES}, [(ACCOUNT, "build", None)]),
        (
            {"account_id": [ACCOUNT, "12"], "region": [None, "eu-west-1"]},
            {"profiles": PROFILES},
            [(ACCOUNT, "build", "eu-west-1")],
        ),
    ],
    ids=str,
)
def test_where_it_looks(filters: dict[str, Any], asked: Any, expected: list[Any]) -> None:
    """In the accounts and regions that the filters choose, else in those that are given."""
    chosen = Filters(**filters)
    names = "account_id, profile, region" if "profiles" in asked else "region"
    assert f"\nfor {names} in {expected!r}:\n" in chosen.to_code("boto3", **asked)
    commands = chosen.to_code("cli", **asked).splitlines()
    assert len(commands) == len(expected)
    for command, place in some(zip(commands, expected, strict=True)):
        _, profile, region = place if isinstance(place, tuple) else (None, None, place)
        options = dict(zip(*[iter(command.split()[3:])] * 2, strict=True))
        assert (options.get("--profile"), options.get("--region")) == (profile, region)
    ours = chosen.to_code("fastlaunch", **asked)
    assert ("fl.sweep(" in ours) == (expected != [None])


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
    ("text", "is_written"), [("=1", True), ("us-east", True), ("runner", False), ("=ß", False)]
)
def test_a_text_for_the_cli(text: str, is_written: bool) -> None:
    """It has a case of its own: what has letters is looked for where the region and account are."""
    code = Filters(text=text, region=REGION).to_code("cli", profiles={ACCOUNT: "a profile"})
    assert code.startswith("aws " if is_written else "# No command keeps exactly these rows")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"kind": "boto"}, "Did you mean 'boto3'"),
        ({"kind": "pandas", "regions": [REGION]}, "leave regions and profiles out"),
        ({"kind": "pandas", "profiles": {}}, "leave regions and profiles out"),
        ({"kind": "cli", "regions": REGION}, "regions is"),
        ({"kind": "cli", "regions": 5}, "regions is 5"),
        ({"kind": "cli", "regions": ["a; b"]}, "region is"),
        ({"kind": "cli", "profiles": ["x"]}, "a dict"),
        ({"kind": "cli", "profiles": {"1": "x"}}, "account_id is"),
        ({"kind": "cli", "profiles": {ACCOUNT: "x\ny"}}, "name of a profile"),
        ({"kind": "cli", "profiles": {ACCOUNT: ""}}, "name of a profile"),
        ({"kind": "cli", "profiles": {ACCOUNT: 5}}, "name of a profile"),
        ({"kind": "cli", "profiles": {"111122223333": "x"}}, f"none for {ACCOUNT}"),
    ],
)
def test_refused(asked: dict[str, Any], why: str) -> None:
    """A kind that is none, and places that are none, are refused."""
    with pytest.raises(fl.InputError, match=why):
        Filters(account_id=ACCOUNT).to_code(**asked)
