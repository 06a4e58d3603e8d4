"""Rows of a sweep, of describe and of boto3: equal for every answer, whatever its form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pandas as pd
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from tests.helpers.samples import ACCOUNT, REGION

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
ITEM = (
    "<item><imageId>ami-1</imageId><resourceType>snapshot</resourceType><ownerId></ownerId>"
    "<state>enabled</state><snapshotConfiguration><targetResourceCount>5</targetResourceCount>"
    "</snapshotConfiguration><launchTemplate><launchTemplateId>lt-1</launchTemplateId>"
    "<launchTemplateName>a &amp; b</launchTemplateName><version>1</version></launchTemplate>"
    "<maxParallelLaunches>6</maxParallelLaunches><stateTransitionReason> x </stateTransitionReason>"
    "<stateTransitionTime>2026-01-15T12:00:00.552Z</stateTransitionTime></item>"
)
IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    f"<GetCallerIdentityResult><Account>{ACCOUNT}</Account></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>"
)
DATE = "Thu, 15 Jan 2026 12:00:00 GMT"


class Answer:
    """A body as botocore reads it from a connection."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        """Return the body as its only chunk."""
        return [self._body]


def connect(status: int, body: bytes, date: str = DATE) -> boto3.Session:
    """Make a session whose reads of Fast Launch get an answer."""

    def answer(status: int, body: bytes) -> Callable[..., AWSResponse]:
        return lambda request, **_: AWSResponse(request.url, status, {"Date": date}, Answer(body))

    session = boto3.Session("key", "secret", region_name=REGION)
    session._session.set_default_client_config(Config(retries={"total_max_attempts": 1}))
    session.events.register("before-send.sts.GetCallerIdentity", answer(200, IDENTITY.encode()))
    session.events.register("before-send.ec2.DescribeFastLaunchImages", answer(status, body))
    return session


def try_read(
    read: Callable[[], pd.DataFrame], error: type[Exception] = fl.FastLaunchError
) -> pd.DataFrame | None:
    """Return the images of a read, or None if it fails with an error of this kind."""
    try:
        images = read()
    except error:
        return None
    images.attrs.clear()
    return images


def read_five_ways(status: int, body: bytes) -> dict[str, pd.DataFrame | None]:
    """Read an answer with boto3, and with describe and sweep as items and as columns."""
    session = connect(status, body)

    def use_boto3() -> pd.DataFrame:
        client = session.client("ec2")
        pages = client.get_paginator("describe_fast_launch_images").paginate()
        known = {"account_id": ACCOUNT, "region": REGION}
        return fl.from_pages(list(pages), **known)

    def sweep() -> pd.DataFrame:
        swept = fl.sweep(session, regions=REGION, progress=False, strict=True)
        assert swept.coverage["rows"].tolist() == [len(swept.images)]
        return swept.images

    reads = {"describe": lambda: fl.describe(session), "sweep": sweep}
    found = {name: try_read(read) for name, read in reads.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastlaunch_nb.aws.fast_launch_pages._MIN_SIZE", 0)
        found |= {f"{name} columns": try_read(read) for name, read in reads.items()}
    return {"boto3": try_read(use_boto3, Exception), **found}


def assert_same_rows(found: Mapping[str, pd.DataFrame | None]) -> None:
    """Check that describe and sweep have boto3's rows, or that all of them fail."""
    expected, *ours = found.values()
    assert {images is None for images in ours} in ({True}, {False}), found
    for images in ours:
        if images is not None:
            assert expected is not None
            pd.testing.assert_frame_equal(images, expected)


def build_body(
    items: str = ITEM,
    *,
    encoding: str = "UTF-8",
    root: str = "DescribeFastLaunchImagesResponse",
    attribute: str = f'xmlns="{NAMESPACE}"',
    others: str = "<requestId>r-1</requestId>",
) -> bytes:
    """Build the body of an answer in UTF-8, whatever encoding it names."""
    return (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<{root} {attribute}>{others}'
        f"<fastLaunchImageSet>{items}</fastLaunchImageSet></{root}>"
    ).encode()


def replace_time(time: str) -> bytes:
    return build_body(ITEM.replace("2026-01-15T12:00:00.552Z", time))


PREFIXED = ITEM.replace("</", "</e:").replace("<", "<e:").replace("<e:/e:", "</e:")
NESTED = f"<requestId>r-1</requestId>{'<x>' * 3_000}{'</x>' * 3_000}"
BODIES = {
    "usual": build_body(),
    "no item": build_body(""),
    "US-ASCII with another letter": build_body(ITEM.replace("ami-1", "ä"), encoding="US-ASCII"),
    "unknown encoding": build_body(encoding="x-unknown"),
    "prefixed root": build_body(root="e:Response", attribute=f'xmlns:e="{NAMESPACE}"'),
    "prefixed items": build_body(
        PREFIXED, root="Response", attribute=f'xmlns:e="{NAMESPACE}"', others=""
    ),
    "the same item twice": build_body(ITEM * 2),
    "an item without an id": build_body(ITEM.replace("<imageId>ami-1</imageId>", "")),
    "an empty item": build_body(ITEM + "<item/>"),
    "a repeated structure": build_body(
        ITEM.replace("<launchTemplate>", "<launchTemplate/><launchTemplate>")
    ),
    "deep nesting beside the items": build_body(others=NESTED),
    "no request id": build_body(others=""),
    "indented": build_body(ITEM.replace("><", ">\n    <")),
    "entities": build_body(ITEM.replace(" x ", "&lt;&#65;&quot;&apos;&amp;amp;&gt;")),
    "CDATA": build_body(ITEM.replace(" x ", "a<![CDATA[<b>]]>c")),
    "carriage returns": build_body(ITEM.replace(" x ", "a\r\nb")),
    "attributes": build_body(ITEM.replace("<state>", '<state a="1">')),
    "empty elements": build_body(ITEM.replace("<ownerId></ownerId>", "<ownerId/> ") + "<item/>"),
    "a byte order mark": b"\xef\xbb\xbf" + build_body(),
    "time in epoch": replace_time("1768077012"),
    "time with a space and no zone": replace_time("2026-01-10 20:30:12"),
    "time of nine digits": replace_time("2026-01-10T20:30:12.123456789Z"),
    "time in another zone": replace_time("2026-01-10T20:30:12+01:00"),
}
FAILING = {
    "malformed": b"<html>",
    "nothing": b"",
    "a login page": b"<html><body>Log in</body></html>",
    "a repeated field": build_body(ITEM.replace("<state>", "<state>enabled</state><state>")),
    "crossed elements": build_body(
        ITEM.replace("<state>", "<x><state>").replace("</st", "</x></st")
    ),
    "a control character": build_body(ITEM.replace("enabled", "\x01")),
    "a noncharacter": build_body(ITEM.replace("enabled", "\uffff")),
    "an unknown entity": build_body(ITEM.replace("enabled", "&x;")),
    "no time": replace_time("soon"),
    "no date": replace_time("2026-02-30T12:00:00Z"),
    "more than 64 bits": build_body(
        ITEM.replace("<maxParallelLaunches>6", f"<maxParallelLaunches>{2**63}")
    ),
    "text in place of a number": build_body(ITEM.replace(">6<", ">many<")),
}


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in BODIES.items()])
def test_all_read_the_same_rows(body: bytes) -> None:
    """boto3, describe and sweep give the same rows, also for answers of an unusual form."""
    found = read_five_ways(200, body)
    assert found["boto3"] is not None
    assert len(found["boto3"]) == body.count(b"<imageId>") + body.count(b"<e:imageId>") + sum(
        map(body.count, (b"<item/>", b"<item><resourceType>"))
    )
    assert_same_rows(found)


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in FAILING.items()])
def test_all_fail(body: bytes) -> None:
    """Where boto3 or the conversion of its items fails, describe and sweep fail as well."""
    found = read_five_ways(200, body)
    assert {name for name, images in found.items() if images is not None} <= {"boto3"}


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206])
def test_every_status_of_success_is_read(status: int) -> None:
    """A status from 200 to 299 has rows, as for boto3."""
    found = read_five_ways(status, build_body(ITEM * 3))
    assert {name: len(images) for name, images in found.items() if images is not None} == (
        dict.fromkeys(found, 3)
    )


def test_a_date_in_the_future_is_reported_once() -> None:
    """A sweep warns of a Date header in the future, and a sweep that resumes it does not again."""
    session = connect(200, build_body(), "Fri, 31 Dec 9999 23:59:59 GMT")
    with pytest.warns(fl.FastLaunchWarning, match="1 response had a Date header of up to 9999"):
        swept = fl.sweep(session, regions=REGION, progress=False)
    times = [*swept.images["observed_at"], *swept.coverage["observed_at"]]
    assert [time.year < 9999 for time in times] == [True, True]
    assert len(fl.sweep(session, resume=swept, progress=False).images) == 1


LEAF = re.compile(rb"<([\w:]+)>[^<]*</\1>")
TEXTS = ("", "x", " 7 ", "1e3", "1_000", "\u0663", "-1", str(2**64), "2026-01-15", "1768077012.5")


def change_bytes(body: bytes, position: int, length: int, inserted: bytes) -> bytes:
    """Replace some bytes."""
    start = position % len(body)
    return body[:start] + inserted + body[start + length :]


def change_element(body: bytes, position: int, change: str) -> bytes:
    """Drop an element, repeat it, nest it, or change its text."""
    leaves = list(LEAF.finditer(body))
    if not leaves:
        return body
    leaf = leaves[position % len(leaves)]
    tag, whole = leaf[1].decode(), leaf[0].decode()
    changed = {
        "drop": "",
        "repeat": whole * 2,
        "nest": f"<{tag}>{whole}</{tag}>",
        "comment": f"<{tag}><!-- note -->{whole[len(tag) + 2 :]}",
    }.get(change, f"<{tag}>{change}</{tag}>")
    return body[: leaf.start()] + changed.encode() + body[leaf.end() :]


positions = st.integers(0, 2_000)
changes = st.tuples(
    st.just(change_bytes), positions, st.integers(0, 30), st.binary(max_size=6)
) | st.tuples(
    st.just(change_element),
    positions,
    st.sampled_from(["drop", "repeat", "nest", "comment", *TEXTS]),
)


@given(
    st.sampled_from(list(BODIES.values())),
    st.sampled_from([200] * 5 + [203, 299, 300, 302, 400, 500]),
    st.lists(changes, max_size=3),
)
@example(BODIES["usual"], 200, [(change_bytes, 60, 0, b"\xff")])
def test_changed_answers_are_read_the_same(
    body: bytes, status: int, changes: list[tuple[Any, ...]]
) -> None:
    """However an answer is damaged, describe and sweep give boto3's rows, or both fail."""
    for change, *arguments in changes:
        body = change(body, *arguments)
    assert_same_rows(read_five_ways(status, body))
