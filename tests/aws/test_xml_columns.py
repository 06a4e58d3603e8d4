"""XML columns: the DataFrame of a response equals the one of botocore's parser."""

from __future__ import annotations

import pickle
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

# --- responses ------------------------------------------------------------------------

words = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12
)
counts = st.integers(-(2**31), 2**31 - 1).map(str)
times = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(
    lambda time: f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
)


def element(tag: str, content: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Draw an element, or nothing in its place."""
    return st.none().map(lambda _: "") | content.map(lambda text: f"<{tag}>{text}</{tag}>")


def elements(*strategies: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*strategies).map("".join)


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


def build_response(items: list[str], token: str = "", namespace: str = NAMESPACE) -> bytes:
    images = f"<fastLaunchImageSet>{''.join(items)}</fastLaunchImageSet>"
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<DescribeFastLaunchImagesResponse{attribute}><requestId>r-1</requestId>"
        f"{images}{token}</DescribeFastLaunchImagesResponse>"
    ).encode()


def parse_with_botocore(body: bytes) -> dict[str, Any]:
    response = {"status_code": 200, "headers": {}, "body": body}
    result: dict[str, Any] = EC2QueryParser().parse(response, SHAPE)
    return result


def extract(body: bytes) -> xml_columns.ExtractedColumns | None:
    return xml_columns.extract_columns(body, SHAPE, "FastLaunchImages")


def to_frame(extracted: xml_columns.ExtractedColumns) -> pd.DataFrame:
    batch = make_batch(
        extracted.columns, account_id="111122223333", region="eu-west-1", observed_at=NOW
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

# --- extraction -----------------------------------------------------------------------


@given(st.lists(item, max_size=5), st.sampled_from([NAMESPACE, ""]))
@example([WHOLE, *BARE], NAMESPACE)
@example([*BARE, WHOLE, WHOLE], "")
def test_columns_equal_those_of_botocore(items: list[str], namespace: str) -> None:
    """Whatever fields an item has, the DataFrame equals the one of botocore's dicts."""
    body = build_response(items, namespace=namespace)
    extracted = extract(body)
    assert extracted is not None
    expected = fl.from_pages(
        {"FastLaunchImages": parse_with_botocore(body)["FastLaunchImages"]},
        account_id="111122223333",
        region="eu-west-1",
        observed_at=NOW,
    )
    pd.testing.assert_frame_equal(to_frame(extracted), expected, check_flags=False)


@given(st.lists(item, max_size=3), words.map(escape))
@example([WHOLE, *BARE], "more")
@example([], "")
def test_botocore_parses_the_rest(items: list[str], token: str) -> None:
    """The rest has the token and the request id, and no items."""
    body = build_response(items, f"<nextToken>{token}</nextToken>")
    extracted = extract(body)
    assert extracted is not None
    whole, rest = parse_with_botocore(body), parse_with_botocore(extracted.rest)
    assert rest["NextToken"] == whole["NextToken"]
    assert rest["ResponseMetadata"] == whole["ResponseMetadata"]
    assert not rest.get("FastLaunchImages")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html><body>Log in</body></html>", id="another page"),
        pytest.param(b"<html>", id="malformed"),
        pytest.param(
            build_response([WHOLE]).replace(
                b"<requestId>", b"<fastLaunchImageSet></fastLaunchImageSet><requestId>"
            ),
            id="two lists",
        ),
        pytest.param(
            build_response([WHOLE]).replace(
                b"<requestId>", b"<a>" * 5_000 + b"</a>" * 5_000 + b"<requestId>"
            ),
            id="deep nesting beside the items",
        ),
        pytest.param(
            build_response([WHOLE])
            .replace(b"</requestId>", b"")
            .replace(b"</Desc", b"</requestId></Desc"),
            id="a list inside another element",
        ),
        pytest.param(
            build_response(["<item><maxParallelLaunches>many</maxParallelLaunches></item>"]),
            id="text in place of a number",
        ),
        pytest.param(
            build_response(["<item><maxParallelLaunches></maxParallelLaunches></item>"]),
            id="an empty number",
        ),
        pytest.param(build_response(["<item>"])[:-30], id="cut off"),
        pytest.param(
            b"<Response><Errors><Error><Code>x</Code></Error></Errors></Response>", id="an error"
        ),
    ],
)
def test_an_unexpected_response_is_left_to_botocore(body: bytes) -> None:
    """Nothing is extracted from an unexpected response, so that botocore reports the error."""
    assert extract(body) is None


def test_an_entity_bomb_is_refused() -> None:
    """The parser refuses XML that grows without end."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    items = "<fastLaunchImageSet>&e11;</fastLaunchImageSet>"
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>{items}</x>'
    assert extract(bomb.encode()) is None


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(f"<stateTransitionTime>{time}</stateTransitionTime>", id=time)
        for time in (
            "soon",
            "",
            "1768077012",
            "2026-01-10 20:30:12",
            "2026-01-10T20:30:12",
            "2026-01-10T24:00:00Z",
            "2026-01-10T20:30:12.123456789Z",
            "2026-01-10T20:30:12+01:00",
        )
    ]
    + [
        pytest.param("<ownerId>1</ownerId><ownerId>2</ownerId>", id="repeated field"),
        pytest.param("<launchTemplate/>" * 2, id="repeated structure"),
        pytest.param(f"<maxParallelLaunches>{2**63}</maxParallelLaunches>", id="64 bits"),
    ],
)
def test_an_unusual_item_is_left_to_botocore(item: str) -> None:
    """Nothing is extracted if an item has an unusual time or number, or repeats an element."""
    assert extract(build_response([f"<item>{item}</item>"])) is None
    assert extract(build_response([WHOLE])) is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("><", ">\n\t <", id="indented"),
        pytest.param(" x ", "&lt;&gt;&quot;&apos;&amp;lt;", id="entities"),
        pytest.param("<ownerId></ownerId>", "<ownerId/>  ", id="an empty element"),
        pytest.param("<of>EC2</of>", "<imageId>other</imageId>", id="the tag of a field"),
    ],
)
def test_the_forms_of_ec2_are_extracted(before: str, after: str) -> None:
    """What EC2 may write is extracted with botocore's values."""
    body = build_response([WHOLE.replace(before, after)] * 2)
    extracted = extract(body)
    assert extracted is not None
    known: dict[str, Any] = {
        "account_id": "111122223333",
        "region": "eu-west-1",
        "observed_at": NOW,
    }
    expected = fl.from_pages(parse_with_botocore(body), **known)
    pd.testing.assert_frame_equal(to_frame(extracted), expected, check_flags=False)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(" x ", "&#65;", id="another entity"),
        pytest.param(" x ", "<![CDATA[x]]>", id="CDATA"),
        pytest.param(" x ", "<!-- x -->", id="a comment"),
        pytest.param(" x ", "x>y", id="an angle bracket"),
        pytest.param(" x ", "x\r\ny", id="a carriage return"),
        pytest.param(" x ", "\uffff", id="a noncharacter"),
        pytest.param("<state>", '<state a="1">', id="an attribute"),
        pytest.param("</of>", "</in>", id="crossed elements"),
        pytest.param("</of>", "</of></of><of>", id="an end too many"),
    ],
)
def test_rare_xml_is_left_to_botocore(before: str, after: str) -> None:
    """Nothing is extracted from XML that EC2 does not write, or that is malformed."""
    assert extract(build_response([WHOLE.replace(before, after)])) is None


# --- batches --------------------------------------------------------------------------


def test_a_pickle_has_each_text_once() -> None:
    """A batch that another process returns is as small as its texts, which share no buffer."""
    extracted = extract(build_response([WHOLE] * 200))
    assert extracted is not None
    batch = make_batch(extracted.columns, account_id=None, region=None, observed_at=None)
    assert len(pickle.dumps(batch)) < 1.2 * batch.nbytes


def test_no_batch_is_an_empty_frame() -> None:
    """Without batches the DataFrame has the same columns and dtypes."""
    pd.testing.assert_frame_equal(concat_batches([]), empty_images(), check_flags=False)


def test_a_coverage_has_its_dtypes() -> None:
    """A coverage has the declared columns and dtypes, even without rows; each has a meaning."""
    for rows in ([], [{"sweep_id": "s", "rows": 3, "seconds": 0.5}]):
        coverage = make_coverage(rows)
        assert [*coverage] == [column.name for column in COVERAGE]
        assert coverage.dtypes.astype(str).tolist() == [column.dtype for column in COVERAGE]
    assert all(column.meaning for column in COVERAGE)
