"""The frame: schema, sources, what is refused, filters."""

from __future__ import annotations

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.filters.fields import facet_values
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.schema.columns import API_FILTERS, COLUMNS, COUNT, TEXT, TIME
from fastlaunch_nb.sources.pages import empty_images
from fastlaunch_nb.validation import validate_columns
from tests.helpers.samples import SINCE, ZOO, item

DTYPES = {column.name: column.dtype for column in COLUMNS}

# The answer in the AWS CLI's reference for describe-fast-launch-images (AWS CLI documentation).
AWS_EXAMPLE = """{
    "FastLaunchImages": [
        {
            "ImageId": "ami-01234567890abcedf",
            "ResourceType": "snapshot",
            "SnapshotConfiguration": {},
            "LaunchTemplate": {
                "LaunchTemplateId": "lt-01234567890abcedf",
                "LaunchTemplateName": "EC2FastLaunchDefaultResourceCreation-a8c6215d",
                "Version": "1"
            },
            "MaxParallelLaunches": 6,
            "OwnerId": "0123456789123",
            "State": "enabled",
            "StateTransitionReason": "Client.UserInitiated",
            "StateTransitionTime": "2022-01-27T22:20:06.552000+00:00"
        }
    ]
}"""


def dtypes(images: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in images.dtypes.items()}


def test_empty_has_the_schema() -> None:
    """A frame without rows has the same columns and dtypes as one with rows."""
    assert dtypes(empty_images()) == DTYPES
    assert dtypes(fl.from_pages([item(1)])) == DTYPES
    assert len(empty_images()) == 0


def test_all_nulls_have_the_schema() -> None:
    """A page whose item says nothing keeps the dtypes; every field becomes a null."""
    images = fl.from_pages({"FastLaunchImages": [{}]})
    assert dtypes(images) == DTYPES
    assert images.isna().values.tolist() == [[True] * len(DTYPES)]


def test_every_field_has_its_place() -> None:
    """Each field of an item lands in its column, milliseconds included."""
    row = fl.from_pages([item(7)], account_id="000000000001", region="eu-west-1").iloc[0]
    assert row.drop("observed_at").to_dict() == {
        "account_id": "000000000001",
        "region": "eu-west-1",
        "image_id": "ami-00000000000000007",
        "state": "enabled",
        "state_transition_reason": "Client.UserInitiated",
        "state_transition_time": pd.Timestamp(SINCE),
        "resource_type": "snapshot",
        "target_resource_count": 5,
        "max_parallel_launches": 6,
        "launch_template_id": "lt-00000000000000007",
        "launch_template_name": "runner",
        "launch_template_version": "1",
        "owner_id": "123456789012",
    }


def test_the_schema_is_the_service_models() -> None:
    """No field of botocore's output shape is left out, and none is invented."""
    client = boto3.client("ec2", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    shape = client.meta.service_model.operation_model("DescribeFastLaunchImages").output_shape

    def leaves(structure: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        found: set[tuple[str, ...]] = set()
        for name, member in structure.members.items():
            structured = member.type_name == "structure"
            found |= leaves(member, (*path, name)) if structured else {(*path, name)}
        return found

    expected = leaves(shape.members["FastLaunchImages"].member)
    assert {column.path for column in COLUMNS if column.path} == expected


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(json.loads(AWS_EXAMPLE), id="dict"),
        pytest.param([json.loads(AWS_EXAMPLE)], id="pages"),
        pytest.param(iter([json.loads(AWS_EXAMPLE)]), id="iterator"),
        pytest.param(json.loads(AWS_EXAMPLE)["FastLaunchImages"], id="items"),
        pytest.param(AWS_EXAMPLE, id="text"),
        pytest.param("\ufeff" + AWS_EXAMPLE, id="text with a byte order mark"),
        pytest.param(AWS_EXAMPLE.encode(), id="bytes"),
        pytest.param(AWS_EXAMPLE.encode("utf-16"), id="PowerShell's UTF-16"),
        pytest.param(io.StringIO(AWS_EXAMPLE), id="open file"),
        pytest.param(io.BytesIO(AWS_EXAMPLE.encode()), id="open binary file"),
    ],
)
def test_sources(source: object) -> None:
    """Every accepted kind of source gives the same row."""
    row = fl.from_pages(source).iloc[0]
    assert row["image_id"] == "ami-01234567890abcedf"
    assert row["owner_id"] == "0123456789123"
    assert row["state_transition_time"] == pd.Timestamp("2022-01-27T22:20:06.552Z")
    assert row["target_resource_count"] is pd.NA


def test_paths(tmp_path: Path) -> None:
    """A path is read, given as a Path or as text."""
    path = tmp_path / "images.json"
    path.write_text(AWS_EXAMPLE)
    assert len(fl.from_pages(path)) == len(fl.from_pages(str(path))) == 1


def test_page_without_images() -> None:
    """A page of a response that lists nothing is a page, not a mistake."""
    assert len(fl.from_pages([{"ResponseMetadata": {}}, {"FastLaunchImages": []}])) == 0


def test_observed_at_is_the_first_date() -> None:
    """observed_at is AWS's own clock: the first response's Date header, for all rows."""
    first = {"date": "Thu, 15 Jan 2026 12:00:03 GMT"}
    later = {"date": "Thu, 15 Jan 2026 12:00:09 GMT"}
    pages = [
        {"FastLaunchImages": [item(n)], "ResponseMetadata": {"HTTPHeaders": headers}}
        for n, headers in enumerate([first, later])
    ]
    observed = fl.from_pages(pages)["observed_at"]
    assert observed.unique().tolist() == [pd.Timestamp("2026-01-15T12:00:03Z")]
    given_time = fl.from_pages(pages, observed_at="2026-01-01T02:00:00+02:00")["observed_at"]
    assert given_time.unique().tolist() == [pd.Timestamp("2026-01-01T00:00:00Z")]


def test_a_date_that_is_none_is_null() -> None:
    """A Date header that can not be read leaves observed_at null; the rows stay."""
    page = {"FastLaunchImages": [item(1)], "ResponseMetadata": {"HTTPHeaders": {"date": "soon"}}}
    assert fl.from_pages(page)["observed_at"].isna().tolist() == [True]


def test_views_take_frames_of_other_makes(images: pd.DataFrame) -> None:
    """Other zones become UTC, columns of nothing get their dtype, other kinds are refused."""
    tokyo = images["observed_at"].dt.tz_convert("Asia/Tokyo")
    other = images.assign(observed_at=tokyo, owner_id=float("nan"), launch_template_id=None)
    fitted = validate_columns("images", other)
    assert str(fitted["observed_at"].dtype) == TIME
    assert fitted["observed_at"].tolist() == images["observed_at"].tolist()
    assert str(fitted["owner_id"].dtype) == TEXT
    counts = images["max_parallel_launches"].astype("float64")
    indexed = images.assign(max_parallel_launches=counts).set_index("image_id", drop=False)
    parallel = validate_columns("images", indexed)["max_parallel_launches"]
    assert parallel.dtype == COUNT
    assert fl.capacity(indexed) == fl.capacity(images)
    assert indexed.index.name == "image_id"
    back = pd.read_csv(io.StringIO(images.to_csv(index=False)))
    for view in (fl.timeline, fl.capacity, fl.panel):
        with pytest.raises(fl.InputError, match="CSV keeps no types"):
            view(back)


def test_next_token_of_what_the_cli_cut_short() -> None:
    """What the CLI prints with --max-items says how to go on."""
    cut = {"FastLaunchImages": [item(1)], "NextToken": "abc"}
    assert fl.from_pages(cut).attrs["next_token"] == "abc"
    assert fl.from_pages([item(1)]).attrs["next_token"] is None


@pytest.mark.parametrize(
    "part",
    [
        {"SnapshotConfiguration": {"TargetResourceCount": 5}},
        {"LaunchTemplate": {"Version": "1"}},
        {"StateTransitionReason": "Client.UserInitiated"},
    ],
    ids=lambda part: next(iter(part)),
)
def test_an_item_is_known_by_any_of_its_fields(part: dict[str, Any]) -> None:
    """Whatever an item says at its top makes it one, though it says nothing else."""
    images = fl.from_pages([part])
    assert images.notna().sum(axis=None) == 1


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z"),
        ("2026-01-15T12:00:00", "2026-01-15T12:00:00Z"),
        ("2026-01-15T12:00:00.001+01:00", "2026-01-15T11:00:00.001Z"),
        (SINCE, SINCE),
        (SINCE.replace(tzinfo=None), SINCE),
    ],
)
def test_times_become_utc(text: Any, time: Any) -> None:
    """A time in another zone is the same moment; without a zone it is in UTC."""
    items = [item(1, StateTransitionTime=each) for each in ("2026-01-01T00:00:00-08:00", text)]
    for alone in (items, items[1:]):
        found = fl.from_pages(alone)["state_transition_time"]
        assert (found.iloc[-1], str(found.dtype)) == (
            pd.Timestamp(time).tz_convert("UTC"),
            TIME,
        )


@pytest.mark.parametrize(("length", "shown"), [(80, "x" * 80), (81, "x" * 77 + "...")])
def test_a_long_path_is_cut(length: int, shown: str) -> None:
    """What is neither JSON nor a file is shown up to 80 letters: it may be text by mistake."""
    with pytest.raises(fl.SourceError) as caught:
        fl.from_pages("x" * length)
    why = f"which is neither JSON text nor a readable file ({os.strerror(errno.ENOENT)})."
    assert str(caught.value).endswith(f" Got {shown!r}, {why}")


@pytest.mark.parametrize(("text", "is_said"), [("", True), (" \n", True), ("{", False)])
def test_only_what_is_empty_is_said_to_be(text: str, is_said: bool) -> None:
    """A file that a failed command left behind is empty: that is said, and not of others."""
    with pytest.raises(fl.SourceError, match="In the file is no JSON") as caught:
        fl.from_pages(io.StringIO(text))
    assert str(caught.value).endswith(" It is empty.") == is_said


@pytest.mark.parametrize(
    ("source", "came"),
    [
        (None, "NoneType"),
        (5, "int"),
        ({}, "an empty dict"),
        ([{}], "an empty dict"),
        ({"Images": []}, "'Images'"),
        ({"Version": "1", "TargetResourceCount": 5}, "'Version', 'TargetResourceCount'"),
        (dict.fromkeys("abcdef", 1), "'a', 'b', 'c', 'd', 'e'."),
        ({"Images": [], "ResponseMetadata": {}}, "'Images'"),
        ({"FastLaunchImages": 3}, "int"),
        ({"FastLaunchImages": ["ami-1"]}, "list"),
        ([1], "int"),
        ("", "empty"),
        ("{", "no JSON"),
        ("no-such-file.json", "'no-such-file.json'"),
        ("x" * 5000, "neither JSON text nor a readable file"),
        (pd.DataFrame(), "a frame already"),
        ([{"ImageId": 3}], "ImageId with int"),
        ([{"ImageId": "ami-1", "MaxParallelLaunches": "6"}], "MaxParallelLaunches with str"),
        ([{"ImageId": "ami-1", "MaxParallelLaunches": True}], "MaxParallelLaunches with bool"),
        ([{"ImageId": "ami-1", "SnapshotConfiguration": 5}], "SnapshotConfiguration"),
        ([{"ImageId": "ami-1", "StateTransitionTime": "soon"}], "ISO 8601"),
    ],
)
def test_refused(source: object, came: str) -> None:
    """What is no fast-launch result is refused: what was expected, and what came."""
    with pytest.raises(fl.SourceError) as caught:
        fl.from_pages(source)
    assert "Expected a DescribeFastLaunchImages result" in str(caught.value)
    assert came in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"account_id": "123"},
        {"account_id": 123456789012},
        {"region": "US East"},
        {"observed_at": "noon"},
        {"observed_at": "NaT"},
        {"observed_at": 1700000000},
    ],
)
def test_refused_context(wrong: dict[str, Any]) -> None:
    """A wrong account, region or time is refused by name."""
    with pytest.raises(fl.InputError, match=next(iter(wrong))):
        fl.from_pages([], **wrong)


# --- filters --------------------------------------------------------------------------


def test_filters_keep_rows_and_labels(images: pd.DataFrame) -> None:
    """Facets are ANDed, values ORed; None stands for rows without a value."""
    chosen = Filters(region="us-east-1", state=["enabled", "enabling"]).apply(images)
    assert chosen.index.tolist() == [0, 2]
    assert Filters(state=[None]).apply(images)["image_id"].tolist() == ["ami-00000007"]
    assert Filters(state=["Enabled"]).apply(images).empty


def test_launch_template_is_its_name_or_its_id(images: pd.DataFrame) -> None:
    """A template without a name is found by its id."""
    found = Filters(launch_template="lt-0123456789abcdef0").apply(images)
    assert found["state"].tolist() == ["disabling"]


def test_text_finds_words_in_any_case(images: pd.DataFrame) -> None:
    """All words must occur, in any column that is searched, and are no pattern."""
    assert Filters(text="RUNNER eu-west").apply(images).index.tolist() == [4, 5]
    assert Filters(text="onerror=alert(1)").apply(images)["state"].tolist() == [
        "enabling-failed",
        "disabling-failed",
    ]
    assert Filters(text=".*").apply(images).empty


def test_to_request_pushes_down_what_ec2_can() -> None:
    """EC2 gets its own filters; the rest stays; nothing is in both and nothing is lost."""
    filters = Filters(
        state=["enabled"], owner_id=[None], region="us-east-1", image_id="ami-00000001", text="x"
    )
    assert filters.to_request() == {
        "ImageIds": ["ami-00000001"],
        "Filters": [{"Name": "state", "Values": ["enabled"]}],
    }
    assert filters.client_side() == Filters(owner_id=[None], region="us-east-1", text="x")


def test_filters_refuse() -> None:
    """Values that are no text are refused by name."""
    with pytest.raises(fl.InputError, match="'state'"):
        Filters(state=[1])  # type: ignore[list-item]
    with pytest.raises(fl.InputError, match="text is 3"):
        Filters(text=3)  # type: ignore[arg-type]


def _zoo() -> pd.DataFrame:
    frames = [fl.from_pages(items, account_id=a, region=r) for a, r, items in ZOO]
    return pd.concat(frames, ignore_index=True)


IMAGES = _zoo()


@st.composite
def selections(draw: st.DrawFn) -> Filters:
    """Any selection whose values the zoo has, nulls included."""
    return Filters(
        text=draw(st.sampled_from(["", "runner", "us-east", "ami"])),
        **{
            facet: draw(
                st.lists(
                    st.sampled_from(
                        [None, *facet_values(IMAGES, facet).dropna().unique().tolist()]
                    ),
                    max_size=2,
                )
            )
            for facet in ("state", "region", "account_id", "launch_template")
        },
    )


@pytest.mark.filterwarnings("ignore:filters has the state 'some-new-state'")
@given(filters=selections())
@example(filters=Filters(state=["enabled", "enabling"], region="us-east-1", text="runner"))
@example(filters=Filters(state=["some-new-state", None], launch_template=[None]))
def test_request_and_rest_make_the_whole(filters: Filters) -> None:
    """Law: what EC2 filters and what is left to do here keep the same rows as all at once."""
    request = filters.to_request()
    pushed = {API_FILTERS[f["Name"]]: f["Values"] for f in request.get("Filters", [])}
    once = filters.apply(IMAGES)
    twice = filters.client_side().apply(Filters(**pushed).apply(IMAGES))
    pd.testing.assert_frame_equal(once, twice)
