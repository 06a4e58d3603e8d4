"""The wire: columns made of bytes are the frame that botocore's own parser would have given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import pandas as pd
import pytest
from botocore.parsers import EC2QueryParser
from botocore.session import get_session
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.aws import xml_columns
from fastlaunch_nb.schema.arrow import concat_batches, make_batch, make_coverage
from fastlaunch_nb.schema.columns import COVERAGE
from fastlaunch_nb.sources.pages import empty_images

SHAPE = (
    get_session().get_service_model("ec2").operation_model("DescribeFastLaunchImages").output_shape
)
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)

# --- answers, as text -----------------------------------------------------------------

words = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12
)
counts = st.integers(-(2**31), 2**31 - 1).map(str)
times = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(
    lambda time: f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
)


def element(tag: str, content: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An element, or nothing in its place."""
    return st.none().map(lambda _: "") | content.map(lambda text: f"<{tag}>{text}</{tag}>")


def elements(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


template = elements(
    *(
        element(tag, words.map(escape))
        for tag in ("launchTemplateId", "launchTemplateName", "version")
    )
)
item = elements(
    *(element(tag, words.map(escape)) for tag in ("imageId", "resourceType", "ownerId", "state")),
    element("snapshotConfiguration", element("targetResourceCount", counts)),
    element("launchTemplate", template),
    element("maxParallelLaunches", counts),
    element("stateTransitionReason", words.map(escape)),
    element("stateTransitionTime", times),
    element("somethingNew", st.just("<of>EC2</of>")),
).map(lambda text: f"<item>{text}</item>")


def answer(items: list[str], token: str = "", namespace: str = NAMESPACE) -> bytes:
    listed = f"<fastLaunchImageSet>{''.join(items)}</fastLaunchImageSet>"
    mark = f' xmlns="{namespace}"' if namespace else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<DescribeFastLaunchImagesResponse{mark}><requestId>r-1</requestId>"
        f"{listed}{token}</DescribeFastLaunchImagesResponse>"
    ).encode()


def parsed(body: bytes) -> dict[str, Any]:
    """Return what botocore makes of a body."""
    response = {"status_code": 200, "headers": {}, "body": body}
    result: dict[str, Any] = EC2QueryParser().parse(response, SHAPE)
    return result


def table(taken: xml_columns.ExtractedColumns) -> pd.DataFrame:
    batch = make_batch(
        taken.columns, account_id="111122223333", region="eu-west-1", observed_at=NOW
    )
    return concat_batches([batch])


WHOLE = (
    "<item><imageId>ami-1</imageId><resourceType>snapshot</resourceType><ownerId></ownerId>"
    "<state>enabled</state><snapshotConfiguration><targetResourceCount>-5</targetResourceCount>"
    "</snapshotConfiguration><launchTemplate><launchTemplateId>lt-1</launchTemplateId>"
    "<launchTemplateName>a &amp; b</launchTemplateName><version>1</version></launchTemplate>"
    "<maxParallelLaunches>6</maxParallelLaunches><stateTransitionReason> x </stateTransitionReason>"
    "<stateTransitionTime>2026-01-15T12:00:00.552Z</stateTransitionTime>"
    "<somethingNew><of>EC2</of></somethingNew></item>"
)
BARE = ["<item></item>", "<item><launchTemplate></launchTemplate></item>"]

# --- laws -----------------------------------------------------------------------------


@given(st.lists(item, max_size=5), st.sampled_from([NAMESPACE, ""]))
@example([WHOLE, *BARE], NAMESPACE)
@example([*BARE, WHOLE, WHOLE], "")
def test_columns_are_what_botocore_parses(items: list[str], namespace: str) -> None:
    """Whatever fields are missing, empty, new or odd: the frame is the one of botocore's dicts."""
    body = answer(items, namespace=namespace)
    taken = xml_columns.extract_columns(body, SHAPE, "FastLaunchImages")
    assert taken is not None
    expected = fl.from_pages(
        {"FastLaunchImages": parsed(body)["FastLaunchImages"]},
        account_id="111122223333",
        region="eu-west-1",
        observed_at=NOW,
    )
    pd.testing.assert_frame_equal(table(taken), expected, check_flags=False)


@given(st.lists(item, max_size=3), words.map(escape))
@example([WHOLE, *BARE], "more")
@example([], "")
def test_the_rest_is_left_for_botocore(items: list[str], token: str) -> None:
    """Token and request id are in the rest; the items are not."""
    body = answer(items, f"<nextToken>{token}</nextToken>")
    taken = xml_columns.extract_columns(body, SHAPE, "FastLaunchImages")
    assert taken is not None
    whole, rest = parsed(body), parsed(taken.rest)
    assert rest["NextToken"] == whole["NextToken"]
    assert rest["ResponseMetadata"] == whole["ResponseMetadata"]
    assert not rest.get("FastLaunchImages")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html><body>Log in</body></html>", id="another page"),
        pytest.param(b"<html>", id="no XML"),
        pytest.param(
            answer(["<item><maxParallelLaunches>many</maxParallelLaunches></item>"]), id="no number"
        ),
        pytest.param(answer(["<item>"])[:-30], id="cut off"),
        pytest.param(
            b"<Response><Errors><Error><Code>x</Code></Error></Errors></Response>", id="an error"
        ),
    ],
)
def test_what_is_no_such_answer_is_left_alone(body: bytes) -> None:
    """Nothing is taken out of what is not understood: botocore says what is wrong with it."""
    assert xml_columns.extract_columns(body, SHAPE, "FastLaunchImages") is None


def test_an_entity_bomb_goes_off_nowhere() -> None:
    """XML that grows without end is refused by the parser, and not answered."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    items = "<fastLaunchImageSet>&e11;</fastLaunchImageSet>"
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>{items}</x>'
    assert xml_columns.extract_columns(bomb.encode(), SHAPE, "FastLaunchImages") is None


def test_a_time_that_is_none_is_refused() -> None:
    """A time that is not ISO 8601 is an error that quotes it, never a null."""
    taken = xml_columns.extract_columns(
        answer(["<item><stateTransitionTime>soon</stateTransitionTime></item>"]),
        SHAPE,
        "FastLaunchImages",
    )
    assert taken is not None
    with pytest.raises(fl.SourceError, match="soon"):
        table(taken)


# --- batches --------------------------------------------------------------------------


def test_no_batch_is_the_empty_frame() -> None:
    """Nothing read has the columns and dtypes of something read."""
    pd.testing.assert_frame_equal(concat_batches([]), empty_images(), check_flags=False)


def test_a_coverage_has_its_dtypes() -> None:
    """Declared dtypes, also where nothing was covered; every column says what it means."""
    for rows in ([], [{"sweep_id": "s", "rows": 3, "seconds": 0.5}]):
        coverage = make_coverage(rows)
        assert [*coverage] == [column.name for column in COVERAGE]
        assert coverage.dtypes.astype(str).tolist() == [c.dtype for c in COVERAGE]
    assert all(column.meaning for column in COVERAGE)
