"""Joins, when not all goes well: what is asked, whose rows stay null, and what is told of it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.aws.clients import READ_ONLY, iam_action
from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.moto_extension import get_backend
from fastlaunch_nb.joins import cloudwatch
from fastlaunch_nb.joins.queries import ACTIONS, AccountRegion
from fastlaunch_nb.schema.columns import TEXT
from fastlaunch_nb.schema.joins import JOINS
from tests.helpers.joins import COLUMNS, SECRET_KEY, recorded, refused, run_one, told
from tests.helpers.samples import ACCOUNT, REGION, denied

OTHER, ELSEWHERE = "111122223333", "eu-west-1"


@pytest.fixture
def images(demo: Demo) -> pd.DataFrame:
    """The images of one account and region."""
    return fl.describe(demo.session)


@pytest.fixture
def targets(demo: Demo) -> list[fl.Target]:
    """Both accounts of the demo."""
    return fl.targets(profiles=demo.accounts.values())


# --- whose rows -----------------------------------------------------------------------


def test_accounts_that_no_target_leads_to(
    demo: Demo, targets: list[fl.Target], images: pd.DataFrame
) -> None:
    """Their rows are null, and one warning names them; the other rows are as ever."""
    both = pd.concat(
        [images, images.assign(account_id="9999\x1b88887777")], ignore_index=True
    ).astype(images.dtypes)
    with told() as messages:
        found = fl.enrich(both, "ami", "snapshots", targets=targets)
    [message] = messages
    assert message.startswith("No target leads to 9999\\x1b88887777: ")
    ours = found[found["account_id"] == ACCOUNT]
    assert set(ours[["image_name", "snapshots"]].notna().values.flat) == {True}
    theirs = found[found["account_id"] != ACCOUNT]
    assert set(theirs[COLUMNS["ami"] + COLUMNS["snapshots"]].isna().values.flat) == {True}


def test_an_account_that_does_not_open(
    demo: Demo, targets: list[fl.Target], images: pd.DataFrame
) -> None:
    """What AWS says of the role is told, with the account; nothing is raised."""
    role = fl.targets(accounts=OTHER, role="Reader")
    rows = images.assign(account_id=pd.array([OTHER] * len(images), dtype=TEXT))
    with denied("AssumeRole"), told() as messages:
        found = fl.enrich(rows, "ami", targets=role)
    assert set(found["image_state"].isna()) == {True}
    assert messages[0].startswith(f"The account {OTHER} could not be opened: AssumeRole")
    assert "Allow the IAM action sts:AssumeRole" in messages[0]
    assert messages[1].startswith(f"No target leads to {OTHER}: ")


def test_only_accounts_of_rows_are_opened(demo: Demo, images: pd.DataFrame) -> None:
    """A target that says which account it is for is left alone where no row is of it."""
    role = fl.targets(accounts=[OTHER], role="Reader")
    with denied("AssumeRole"):
        found = fl.enrich(images, "ami", targets=[demo.session, *role])
    assert set(found["image_name"].notna()) == {True}


def test_rows_without_an_account(demo: Demo, targets: list[fl.Target]) -> None:
    """They are of the account of the one target; where there are two, null, and that is told."""
    page = demo.session.client("ec2").describe_fast_launch_images()
    rows = fl.from_pages(page, region=REGION)
    found = fl.enrich(rows, "ami", targets=demo.session)
    assert set(found["image_name"].notna()) == {True}
    assert set(found["account_id"].isna()) == {True}
    with told() as messages:
        found = fl.enrich(rows, "ami", targets=targets)
    assert set(found["image_name"].isna()) == {True}
    [message] = messages
    assert message.startswith(f"{len(rows)} rows do not say of which account and region")


# --- places ---------------------------------------------------------------------------


def test_siblings_of_places_that_can_not_be_read(demo: Demo, images: pd.DataFrame) -> None:
    """What was read elsewhere counts, and the place that was not is named."""
    with refused("DescribeImages", region="eu-west-1"), told() as messages:
        found = fl.enrich(images, "siblings", regions=["eu-west-1", "ap-southeast-2"])
    assert set(found["siblings"]) == {1}
    [message] = messages
    assert message.startswith(f"siblings could not be read in {ACCOUNT} eu-west-1: DescribeImages")
    with refused("DescribeImages", region="eu-west-1"), told():
        found = fl.enrich(images, "siblings", regions="eu-west-1")
    assert set(found[COLUMNS["siblings"]].isna().values.flat) == {True}


def test_snapshots_of_places_that_can_not_be_read(demo: Demo, targets: list[fl.Target]) -> None:
    """The rest is there, and a warning names the place; where nothing is, that is raised."""
    whole = fl.snapshots(targets, regions=demo.regions)
    with refused("DescribeSnapshots", region=ELSEWHERE), told() as messages:
        found = fl.snapshots(targets, regions=demo.regions)
    expected = whole[whole["region"] != ELSEWHERE].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
    [message] = messages
    where = f"{ACCOUNT} {ELSEWHERE}, {OTHER} {ELSEWHERE}"
    assert message.startswith(f"snapshots could not be read in {where}: DescribeSnapshots: AWS")
    assert "Allow the IAM action ec2:DescribeSnapshots." in message
    with refused("DescribeSnapshots"), pytest.raises(fl.ReadError, match="DescribeSnapshots"):
        fl.snapshots(targets, regions=demo.regions)


def test_metrics_of_places_that_can_not_be_read(demo: Demo, targets: list[fl.Target]) -> None:
    """The rest is there, and a warning names the place; where nothing is, that is raised."""
    images = fl.sweep(targets, regions=demo.regions, progress=False).images
    with refused("GetMetricData", region=ELSEWHERE), told() as messages:
        found = fl.metrics(images, targets=targets)
    assert set(found["region"]) == {*demo.regions} - {ELSEWHERE}
    [message] = messages
    assert message.startswith(f"metrics could not be read in {ACCOUNT} {ELSEWHERE}, {OTHER}")
    with refused("ListMetrics"), pytest.raises(fl.ReadError, match="ListMetrics"):
        fl.metrics(images, targets=targets)


# --- what is asked, and what is told --------------------------------------------------


@pytest.mark.parametrize("join", JOINS)
def test_actions_are_what_is_asked(demo: Demo, images: pd.DataFrame, join: str) -> None:
    """A join asks for the IAM actions that the table has, and for nothing else."""
    image_id = images["image_id"].iloc[0]
    run_one(demo.session.client("ec2"), image_id, "snap-0123")
    with recorded(demo) as calls:
        fl.enrich(images, join)
    assert {name for name, *_ in calls} - {"sts:GetCallerIdentity"} == set(ACTIONS[join])


def test_actions_are_of_the_read_only_table() -> None:
    """Every action that a join needs is one that the toolkit may call."""
    known = {iam_action(s, name) for s, names in READ_ONLY.items() for name in names}
    assert set(ACTIONS) == set(JOINS)
    assert {action for actions in ACTIONS.values() for action in actions} <= known


@pytest.mark.parametrize(
    ("join", "action"),
    [(join, action) for join, actions in ACTIONS.items() for action in actions if join != "cost"],
)
def test_what_is_refused_is_null(demo: Demo, images: pd.DataFrame, join: str, action: str) -> None:
    """A join whose action is not allowed is null, told once with what to allow; others go on."""
    run_one(demo.session.client("ec2"), images["image_id"].iloc[0], "snap-0123")
    with refused(action.partition(":")[2]), told() as messages:
        found = fl.enrich(images, "quota", "ami", join)
    [message] = [message for message in messages if message.startswith(f"{join} could not")]
    assert f"Allow the IAM action {action}." in message
    assert SECRET_KEY not in message
    known = found[COLUMNS[join]].notna().any(axis=1)
    if join == "template":  # a row without one needs no read
        assert known.equals(images["launch_template_name"].isna())
    else:
        assert not known.any()
    assert set(found["parallel_launches_quota"].notna()) == {join != "quota"}
    assert set(found["image_state"].notna()) == {action != "ec2:DescribeImages"}


def test_warnings_come_in_order(demo: Demo, targets: list[fl.Target]) -> None:
    """One a join and reason, in the order of the joins, each naming its places in theirs."""
    images = fl.sweep(targets, regions=demo.regions, progress=False).images
    operations = ("GetServiceQuota", "ListMetrics", "DescribeImages", "DescribeSnapshots")
    heard = []
    for workers in (1, 32):
        with refused(*operations), told() as messages:
            fl.enrich(images, "quota", "snapshots", "metrics", "ami", targets=targets,
                      max_workers=workers)  # fmt: skip
        heard.append(messages)
    assert heard[0] == heard[1]
    assert [message.split()[0] for message in heard[0]] == ["ami", "snapshots", "metrics", "quota"]
    for part in (f"{ACCOUNT} ap-southeast-2, ", " and 3 more: "):
        assert [part in message for message in heard[0]] == [True] * 4, (part, heard[0])


def test_a_region_that_is_closed(demo: Demo) -> None:
    """A region that the account has not opted in to is told, and its rows are null."""
    rows = fl.from_pages([{"ImageId": "ami-01"}], account_id=ACCOUNT, region="me-south-1")
    with told() as messages:
        found = fl.enrich(rows, "ami")
    assert found["image_state"].isna().tolist() == [True]
    [message] = messages
    assert "AuthFailure" in message


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"joins": ["snapshot"]}, "'snapshot' can not be joined.* Did you mean 'snapshots'"),
        ({"joins": [7]}, "7 can not be joined"),
        ({"targets": "build-farm"}, "targets has a str"),
        ({"targets": []}, "targets is empty"),
        ({"regions": []}, "regions is empty"),
        ({"regions": "Europe"}, "region is 'Europe'"),
        ({"prices": 0.05}, "prices is a float"),
        ({"window": 14}, "window is 14"),
        ({"window": None}, "window is None"),
        ({"window": "500 days"}, "keeps numbers for 455 days"),
        ({"max_workers": 0}, "max_workers is 0"),
        ({"images": [1]}, "Got a list"),
        ({"images": pd.DataFrame({"image_id": ["ami-1"]})}, "lacks account_id, region"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    demo: Demo, images: pd.DataFrame, asked: dict[str, Any], says: str
) -> None:
    """The error says what was given and what is expected; no request leaves."""
    given_images, joins = asked.pop("images", images), asked.pop("joins", ())
    with recorded(demo) as calls, pytest.raises(fl.InputError, match=says):
        fl.enrich(given_images, *joins, **asked)
    assert not calls


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"period": "90 seconds"}, "period is .*: expected that, or a multiple"),
        ({"period": "1 minute", "since": "20 days"}, "for periods of 0 days 00:05:00"),
        ({"period": 60}, "period is 60"),
        ({"since": "1 second"}, "since is '1 second'"),
        ({"targets": 3}, "targets has a int"),
    ],
)
def test_metrics_that_are_not_kept(
    demo: Demo, images: pd.DataFrame, asked: dict[str, Any], says: str
) -> None:
    """Periods and windows that CloudWatch does not keep numbers for are refused unasked."""
    with recorded(demo) as calls, pytest.raises(fl.InputError, match=says):
        fl.metrics(images, **asked)
    assert not calls


def test_a_region_of_the_rows_that_is_none(demo: Demo, images: pd.DataFrame) -> None:
    """Text that is no region's name never becomes a part of an address."""
    hostile = images.assign(region=pd.array(["x.example/"] * len(images), dtype=TEXT))
    with recorded(demo) as calls, pytest.raises(fl.InputError, match=r"region is 'x\.example/'"):
        fl.enrich(hostile, "ami")
    assert not calls


# --- what is taken of several ---------------------------------------------------------


@pytest.mark.parametrize("step", [1, -1])
def test_the_plainest_series_in_any_order(step: int) -> None:
    """Of an image's series the one with the fewest dimensions is taken, wherever it is listed."""
    plain = {"MetricName": "m", "Dimensions": [{"Name": "A", "Value": "ami-1"}]}
    finer = {**plain, "Dimensions": [*plain["Dimensions"], {"Name": "B", "Value": "b"}]}

    class Lists:
        def pages(self, *_: object) -> list[dict[str, Any]]:
            return [{"Metrics": [plain, finer][::step]}]

    asker: Any = Lists()
    place = AccountRegion(ACCOUNT, asker, ["ami-1"])
    assert [series.metric for series in cloudwatch._found(place, [cloudwatch.STOCK])] == [plain]


def test_windows_begin_at_a_full_hour(demo: Demo, images: pd.DataFrame) -> None:
    """However odd the time of the last look."""
    odd = images.assign(observed_at=images["observed_at"] + pd.Timedelta(minutes=17))
    found = fl.enrich(odd, "metrics", window="1 day")
    assert set(found["metrics_until"]) == {demo.clock.now() + pd.Timedelta(minutes=17)}
    assert set(found["metrics_since"]) == {demo.clock.now() - pd.Timedelta(days=1)}


def test_siblings_are_windows_amis_of_accounts_themselves(demo: Demo, images: pd.DataFrame) -> None:
    """An AMI of the name that is no Windows, or that another account shares, is none."""
    there = get_backend(ACCOUNT, "eu-north-1")
    name = get_backend(ACCOUNT, REGION).amis[images["image_id"].iloc[0]].name
    for image_id, owner in (("ami-00000001", ACCOUNT), ("ami-00000002", OTHER)):
        there.add_windows_image(image_id, name=name, owner_id=owner)
    there.amis["ami-00000001"].platform = None
    found = fl.enrich(images, "siblings", regions="eu-north-1")
    assert set(found["siblings"]) == {0}


def test_only_regions_of_an_accounts_partition_are_asked(demo: Demo) -> None:
    """Regions of China are not asked with credentials of elsewhere."""
    found = fl.snapshots(regions=[REGION, "cn-north-1"])
    assert set(found["region"]) == {REGION}


def test_siblings_are_looked_for_in_all_accounts(demo: Demo, images: pd.DataFrame) -> None:
    """A target that no row is of is opened too, where siblings are asked for."""
    name = get_backend(ACCOUNT, REGION).amis[images["image_id"].iloc[0]].name
    there = get_backend(OTHER, "eu-north-1")
    there.add_windows_image("ami-00000001", name=name, owner_id=OTHER)
    role = fl.targets(accounts=OTHER, role="Reader")
    found = fl.enrich(images, "siblings", targets=[demo.session, *role], regions="eu-north-1")
    label = f"{OTHER}/eu-north-1/ami-00000001"
    assert found["siblings_without_fast_launch"].iloc[0] == label
