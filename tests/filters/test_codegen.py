"""Code generation: each kind of code runs, and selects the rows that Filters select."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import compress
from types import SimpleNamespace
from typing import Any

import boto3
import duckdb
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
from fastlaunch_nb.shells import SHELLS
from tests.helpers.cases import some
from tests.helpers.samples import ACCOUNT, HOSTILE, REGION, SINCE, ZOO, item
from tests.helpers.selections import EXAMPLES, IMAGES, ODD_TEXT, find_matches, selections

ODD_ITEMS = [
    item(n, LaunchTemplate={"LaunchTemplateName": name}, StateTransitionReason=name)
    for n, name in enumerate(["'", '"', "`", "\\", "\\`", "$(id)", "ß", "a b\nc"], 20)
]
ITEMS = [*ODD_ITEMS, *(zoo_item for _, _, items in ZOO for zoo_item in items)]
EC2 = boto3.client("ec2", REGION).meta.service_model
REQUEST = EC2.operation_model("DescribeFastLaunchImages").input_shape
FIELDS = {"state": "State", "owner-id": "OwnerId", "resource-type": "ResourceType"}


def filter_like_ec2(
    items: list[dict[str, Any]], ids: Iterable[str] = (), filters: Iterable[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return the items that EC2 would respond with, to a request that botocore accepts."""
    request: dict[str, Any] = {"ImageIds": list(ids), "Filters": list(filters)}
    assert not ParamValidator().validate(request, REQUEST).has_errors()
    return [
        item
        for item in items
        if (not request["ImageIds"] or item["ImageId"] in request["ImageIds"])
        and all(item.get(FIELDS[f["Name"]]) in f["Values"] for f in request["Filters"])
    ]


def make_answerable(filters: Filters, text: str) -> Filters:
    """Return the selection for one account and region, without what EC2 does not know."""
    ids = all(value is None or value.startswith("ami-") for value in filters.image_id)
    return replace(
        filters,
        account_id=(ACCOUNT,),
        region=(REGION,),
        available_snapshots=None,
        missing_snapshots=None,
        image_id=filters.image_id if ids else (),
        text=text,
    )


def run_code(code: str, **names: Any) -> Any:
    """Run code, and return the value of its variable `chosen`, or else of `images`."""
    exec(compile(code, "code", "exec"), names)  # noqa: S102
    return names.get("chosen", names.get("images"))


# --- pandas ---------------------------------------------------------------------------


@pytest.mark.parametrize("filters", EXAMPLES)
def test_pandas_one_field_at_a_time(filters: Filters) -> None:
    """The code for pandas selects the rows that the filters match."""
    code = filters.to_code("pandas")
    assert_frame_equal(run_code(code, images=IMAGES), IMAGES[find_matches(IMAGES, filters)])


@given(filters=selections(names=ODD_TEXT, texts=ODD_TEXT))
def test_pandas(filters: Filters) -> None:
    """Law: the code for pandas selects the same rows, for any text and also without rows."""
    code = filters.to_code("pandas")
    assert_frame_equal(run_code(code, images=IMAGES), IMAGES[find_matches(IMAGES, filters)])
    assert run_code(code, images=IMAGES.iloc[:0]).empty


# --- the AWS CLI ----------------------------------------------------------------------


def format_times(image: dict[str, Any], form: str) -> dict[str, Any]:
    """Return an item with its time as text, as the AWS CLI has it when it applies a query."""
    since = image.get("StateTransitionTime")
    if not since:
        return image
    wire = f"{since:%Y-%m-%dT%H:%M:%S}.{since.microsecond // 1000:03d}Z"
    return {**image, "StateTransitionTime": since.isoformat() if form == "iso" else wire}


def parse_cli_filters(words: list[str]) -> list[dict[str, Any]]:
    """Parse filters of the AWS CLI: JSON, or its short form."""
    if words[0].startswith("["):
        parsed: list[dict[str, Any]] = json.loads("".join(words))
        return parsed
    pairs = [re.fullmatch(r"Name=([\w-]+),Values=([\w.,-]+)", word) for word in words]
    return [{"Name": pair[1], "Values": pair[2].split(",")} for pair in pairs if pair]


def run_like_cli(command: str, images: list[dict[str, Any]], form: str) -> list[str]:
    """Return the ids that the AWS CLI would print: filter like EC2, then apply the query."""
    words = shlex.split(command)
    assert words[:3] == ["aws", "ec2", "describe-fast-launch-images"]
    options: dict[str, list[str]] = {}
    for word in words[3:]:
        if word.startswith("--"):
            values = options.setdefault(word, [])
        else:
            values.append(word)
    filters = parse_cli_filters(options.pop("--filters", ["[]"]))
    items = [format_times(image, form) for image in images]
    response = filter_like_ec2(items, options.pop("--image-ids", []), filters)
    [query] = options.pop("--query", ["FastLaunchImages"])
    assert options == {"--profile": ["a profile"], "--region": [REGION]}
    return [image["ImageId"] for image in jmespath.search(query, {"FastLaunchImages": response})]


@given(
    filters=selections(names=ODD_TEXT),
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
    """Law: the code is one command that botocore accepts, and its query finds the same rows."""
    filters = make_answerable(filters, text)
    code = filters.to_code("cli", profiles={ACCOUNT: "a profile"})
    images = fl.from_pages(ITEMS, account_id=ACCOUNT, region=REGION)
    expected = images[find_matches(images, filters)]["image_id"].tolist()
    assert run_like_cli(code, ITEMS, form) == expected


@pytest.mark.parametrize("microseconds", [-1000, -999, -1, 0, 1, 999, 1000])
@pytest.mark.parametrize("since", [SINCE, SINCE.replace(microsecond=0)])
@pytest.mark.parametrize("form", ["iso", "wire"])
def test_cli_compares_times_to_the_microsecond(microseconds: int, since: Any, form: str) -> None:
    """An end close to a transition is before or after it, with and without milliseconds."""
    images = [item(1, StateTransitionTime=since)]
    end = pd.Timestamp(since) + pd.Timedelta(microseconds=microseconds)
    for ends in ((end, None), (None, end), (end, end)):
        filters = Filters(state_transition_time=ends, region=REGION)
        code = filters.to_code("cli", profiles={ACCOUNT: "a profile"})
        selected = filters.apply(fl.from_pages(images, region=REGION))
        assert len(run_like_cli(code, images, form)) == len(selected)
    forever = Filters(state_transition_time=(None, "9999-12-31T23:59:59.999999Z"), region=REGION)
    code = forever.to_code("cli", profiles={ACCOUNT: "a profile"})
    assert len(run_like_cli(code, images, form)) == 1


# --- boto3 and this package -----------------------------------------------------------


def list_keys(rows: Any) -> list[tuple[str, str]]:
    """Return the region and id of each row, sorted."""
    if isinstance(rows, pd.DataFrame):
        return sorted(zip(rows["region"], rows["image_id"], strict=True))
    return sorted((row["Region"], row["ImageId"]) for row in rows)


class FakeSession:
    """The part of boto3 that the code calls; EC2 responds with `ITEMS`, two on each page."""

    def __init__(self, region_name: str | None, profile_name: str | None = None) -> None:
        assert (region_name, profile_name) in ((REGION, None), (REGION, "a profile"))
        self.region_name = region_name

    def client(self, service: str) -> Any:
        """Return itself as a client of EC2, or a client of STS."""
        sts = SimpleNamespace(get_caller_identity=lambda: {"Account": ACCOUNT})
        return {"ec2": self, "sts": sts}[service]

    def get_paginator(self, operation: str) -> Any:
        """Return itself as a paginator."""
        assert operation == "describe_fast_launch_images"
        return self

    def paginate(self, ImageIds: Any = (), Filters: Any = ()) -> Iterator[Any]:  # noqa: N803
        """Yield the pages that EC2 would respond with."""
        items = filter_like_ec2(ITEMS, ImageIds, Filters)
        yield from ({"FastLaunchImages": items[n : n + 2]} for n in range(0, len(items) + 1, 2))


def assert_boto3_selects(filters: Filters, profiles: dict[str, str] | None) -> None:
    """Run the code for boto3, and compare the items that it selects with the rows of `Filters`."""
    code = filters.to_code("boto3", profiles=profiles)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "boto3", SimpleNamespace(Session=FakeSession))
        chosen = run_code(code)
    images = fl.from_pages(ITEMS, account_id=ACCOUNT, region=REGION)
    expected = list(compress(ITEMS, find_matches(images, filters)))
    assert chosen == [{**item, "Region": REGION, "AccountId": ACCOUNT} for item in expected]


@pytest.mark.parametrize("profiles", [None, {ACCOUNT: "a profile"}], ids=["own", "profile"])
@pytest.mark.parametrize("filters", EXAMPLES)
def test_boto3_one_field_at_a_time(filters: Filters, profiles: dict[str, str] | None) -> None:
    """The code for boto3 selects the same items, each with its account and region."""
    assert_boto3_selects(make_answerable(filters, filters.text), profiles)


@given(filters=selections(names=ODD_TEXT, texts=ODD_TEXT))
def test_boto3(filters: Filters) -> None:
    """Law: the code for boto3 selects the same items, for any text."""
    assert_boto3_selects(make_answerable(filters, filters.text), {ACCOUNT: "a profile"})


@pytest.mark.filterwarnings("ignore:filters has the state")
def test_boto3_and_fastlaunch_read_the_embedded_ec2(demo: Demo) -> None:
    """Both kinds of code find the rows that Filters find in a sweep of everything."""
    profiles = demo.accounts
    everything = fl.sweep(fl.targets(profiles=[*profiles.values()]), regions=demo.regions).images
    first = everything.iloc[0]
    [template, *_] = everything["launch_template_name"].dropna()
    for filters in (
        Filters(state=["enabled", "enabling", HOSTILE], region=demo.regions[1]),
        Filters(account_id=first["account_id"], text="CLIENT us", region=first["region"]),
        Filters(image_id=first["image_id"], launch_template=[None, template]),
    ):
        expected = list_keys(filters.apply(everything))
        assert expected
        scope: dict[str, Any] = {"regions": demo.regions, "profiles": profiles}
        assert list_keys(run_code(filters.to_code("boto3", **scope))) == expected
        assert list_keys(run_code(filters.to_code("fastlaunch", **scope))) == expected


def test_code_reads_the_callers_own_account_and_region(demo: Demo) -> None:
    """Without regions and profiles, the code uses the caller's own, and names the account."""
    images = fl.describe()
    account = images["account_id"].iloc[0]
    filters = Filters(account_id=account, text=account)
    for kind in ("boto3", "fastlaunch"):
        code = filters.to_code(kind)
        assert code.startswith(f"# With credentials of {account}\n")
        assert list_keys(run_code(code)) == list_keys(images)
        assert list_keys(run_code(Filters(account_id="123123123123").to_code(kind))) == []
    assert len(demo.regions) > 1


# --- PowerShell and SQL ---------------------------------------------------------------

LITERAL = re.compile("'(?:[^'\u2018-\u201b]|(['\u2018-\u201b])\\1)*'")


@given(filters=selections(names=ODD_TEXT, texts=ODD_TEXT))
def test_powershell_quotes_each_value(filters: Filters) -> None:
    """Law: no value is code: without its literals, a call has nothing but our own words.

    PowerShell is not there to run it.
    """
    filters = make_answerable(filters, filters.text)
    code = filters.to_code("powershell", profiles={ACCOUNT: "it's"})
    rest = LITERAL.sub("", code).replace('"`n"', "")
    call = r"Get-EC2FastLaunchImage[A-Za-z0-9$_.,:;=@(){}\[\]| -]*"
    assert re.fullmatch(rf"{call}|# No line of .*|# PowerShell selects .*", rest)


@given(filters=selections(names=ODD_TEXT, texts=ODD_TEXT))
def test_sql_is_valid_for_any_text(filters: Filters) -> None:
    """Law: DuckDB reads one statement, or there is a comment with the reason."""
    code = filters.to_code("sql")
    assert len(duckdb.extract_statements(code)) == (not code.startswith("-- N") and "\n" in code)


# --- text of the code -----------------------------------------------------------------

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
        ("powershell", Filters(), "Get-EC2FastLaunchImage"),
        (
            "powershell",
            Filters(state=["enabled", "it's"], image_id="ami-12345678", region=REGION),
            "Get-EC2FastLaunchImage -Filter @{Name='state';Values='enabled','it''s'} "
            "-ImageId 'ami-12345678' -Region 'us-east-1'",
        ),
        (
            "powershell",
            RANGES,
            "Get-EC2FastLaunchImage | Where-Object { "
            "($_.OwnerId -cin @('1') -or $null -eq $_.OwnerId) "
            "-and $_.MaxParallelLaunches -and $_.MaxParallelLaunches -ge 6 "
            "-and $_.StateTransitionTime -gt [datetime]::MinValue "
            "-and $_.StateTransitionTime.ToUniversalTime() -ge "
            "[datetimeoffset]::Parse('2026-01-15T00:00:00+00:00').UtcDateTime }",
        ),
        ("pandas", Filters(), "chosen = images"),
        (
            "pandas",
            Filters(state="enabled"),
            "chosen = images[\n    images['state'].isin(['enabled'])\n]",
        ),
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
def test_code_has_only_what_the_filters_need(kind: str, filters: Filters, code: str) -> None:
    """The code has no line or import that these filters do not need."""
    assert filters.to_code(kind) == code


PROFILES = {ACCOUNT: "build", "444455556666": "prod"}


@pytest.mark.parametrize(
    ("filters", "scope", "expected"),
    [
        ({}, {}, [None]),
        ({}, {"regions": ["us-east-1", "eu-west-1"]}, ["us-east-1", "eu-west-1"]),
        ({}, {"regions": "us-east-1,eu-west-1"}, ["us-east-1", "eu-west-1"]),
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
def test_code_reads_the_chosen_scope(
    filters: dict[str, Any], scope: Any, expected: list[Any]
) -> None:
    """Accounts and regions are those of the filters, else those of the arguments."""
    chosen = Filters(**filters)
    names = "account_id, profile, region" if "profiles" in scope else "region"
    assert f"\nfor {names} in {expected!r}:\n" in chosen.to_code("boto3", **scope)
    commands = chosen.to_code("cli", **scope).splitlines()
    assert len(commands) == len(expected)
    for command, entry in some(zip(commands, expected, strict=True)):
        _, profile, region = entry if isinstance(entry, tuple) else (None, None, entry)
        options = dict(zip(*[iter(command.split()[3:])] * 2, strict=True))
        assert (options.get("--profile"), options.get("--region")) == (profile, region)
    code = chosen.to_code("fastlaunch", **scope)
    assert ("fl.sweep(" in code) == (expected != [None])


# --- selections without code ----------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "filters"),
    [
        ("cli", Filters(text="runner")),
        ("cli", Filters(text="12")),
        ("cli", Filters(text="ß", region=REGION)),
        ("powershell", Filters(text="12")),
        ("powershell", Filters(launch_template="two\nlines")),
        *((kind, Filters(available_snapshots=(1, 2))) for kind in ("cli", "boto3", "fastlaunch")),
        *((kind, Filters(missing_snapshots=(1, None))) for kind in ("cli", "boto3", "fastlaunch")),
        *((kind, Filters(image_id="a\nrm x")) for kind in ("cli", "boto3", "fastlaunch")),
        *((kind, Filters(region=[None, "a\nb"])) for kind in ("cli", "boto3", "fastlaunch")),
        *((kind, Filters(account_id=[None])) for kind in ("cli", "boto3", "fastlaunch")),
    ],
)
def test_a_selection_without_code_is_a_comment(kind: str, filters: Filters) -> None:
    """Instead of code that finds other rows there is one line with the reason."""
    code = filters.to_code(kind)
    assert code.startswith("# ")
    assert len(code.splitlines()) == 1


def test_a_reason_is_a_comment_of_its_language() -> None:
    """The Command Prompt and SQL have comments of their own."""
    filters = Filters(available_snapshots=(1, 2))
    assert filters.to_code("cli", shell=SHELLS[-1]).startswith("REM ")
    assert filters.to_code("sql").startswith("-- ")
    assert filters.to_code("powershell").startswith("# ")


@pytest.mark.parametrize(
    ("text", "is_written"), [("=1", True), ("us-east", True), ("runner", False), ("=ß", False)]
)
def test_the_cli_searches_no_letters(text: str, is_written: bool) -> None:
    """Its search is case-sensitive, so letters must occur in the region or account."""
    code = Filters(text=text, region=REGION).to_code("cli", profiles={ACCOUNT: "a profile"})
    assert code.startswith(
        "aws " if is_written else "# No AWS CLI command selects exactly these rows"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"kind": "boto"}, "Did you mean 'boto3'"),
        ({"kind": "pandas", "regions": [REGION]}, "leave regions and profiles out"),
        ({"kind": "pandas", "profiles": {}}, "leave regions and profiles out"),
        ({"kind": "sql", "regions": [REGION]}, "Code for sql sends no request"),
        ({"kind": "cli", "regions": "Ireland"}, "region is 'Ireland'"),
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
def test_bad_arguments_are_refused(arguments: dict[str, Any], problem: str) -> None:
    """An unknown kind, and malformed regions and profiles, are refused."""
    with pytest.raises(fl.InputError, match=problem):
        Filters(account_id=ACCOUNT).to_code(**arguments)
