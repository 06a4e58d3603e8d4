"""PowerShell: what ConvertTo-Json of both versions makes of AWS Tools' images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.sources.powershell import check_depth
from tests.helpers.samples import REGION, SINCE, item, make_event

MILLISECONDS = int(SINCE.timestamp() * 1000)
TIMES: dict[str, Any] = {
    "5.1": f"/Date({MILLISECONDS})/",
    "5.1 with an offset": f"/Date({MILLISECONDS}+0100)/",
    "5.1 with a note": {
        "value": f"/Date({MILLISECONDS})/",
        "DisplayHint": 2,
        "DateTime": "Wednesday, January 14, 2026 9:30:15 AM",
    },
    "7": "2026-01-14T10:30:15.5520000+01:00",
    "7 in UTC": "2026-01-14T09:30:15.552Z",
    "7 with a note": {"value": "2026-01-14T09:30:15.552Z", "DateTime": "Wednesday"},
}


def export(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return an image as ConvertTo-Json writes it: constants are objects."""
    constants = {"State": {"Value": "enabled"}, "ResourceType": {"Value": "snapshot"}}
    plain = item(number, StateTransitionTime=TIMES["5.1"])
    return {**plain, **constants, **fields}


def to_text(content: Any) -> str:
    """Return JSON as Windows PowerShell writes it, with each slash of a time escaped."""
    return json.dumps(content, indent=4).replace("/", "\\/").replace("\n", "\r\n")


@pytest.mark.parametrize("time", TIMES.values(), ids=TIMES)
def test_images_of_both_versions(time: Any, tmp_path: Path) -> None:
    """The export gives boto3's row, its time in UTC, from UTF-16 or UTF-8, or parsed."""
    expected = fl.from_pages([item(1)])
    file = tmp_path / "images.json"
    for encoding in ("utf-16", "utf-8-sig", "utf-8"):
        file.write_text(to_text([export(StateTransitionTime=time)]), encoding)
        pd.testing.assert_frame_equal(fl.from_pages(file), expected)
    pd.testing.assert_frame_equal(fl.from_pages(export(StateTransitionTime=time)), expected)


ONE, TWO = [export()], [export(1), export(2)]
SHAPES: dict[str, tuple[Any, int]] = {
    "one image": (export(), 1),
    "several": (TWO, 2),
    "an array of 5.1": ({"value": TWO, "Count": 2}, 2),
    "the whole response": (
        {
            "FastLaunchImages": TWO,
            "NextToken": None,
            "ResponseMetadata": {"RequestId": "1", "Metadata": {}, "ChecksumAlgorithm": 0},
            "ContentLength": 1432,
            "HttpStatusCode": 200,
        },
        2,
    ),
    "a response cut at its metadata": (
        {"FastLaunchImages": TWO, "ResponseMetadata": "Amazon.Runtime.ResponseMetadata"},
        2,
    ),
    "a response with one image": ({"FastLaunchImages": export()}, 1),
    "a response with an array of 5.1": ({"FastLaunchImages": {"value": TWO, "Count": 2}}, 2),
    "by region": ({"eu-west-1": export(1), REGION: [export(2)], "ap-south-1": None}, 2),
    "by region in 5.1": ({"eu-west-1": {}, REGION: {"value": TWO, "Count": 2}}, 2),
    "plain states": ([export(1, State="enabled", ResourceType="snapshot")], 1),
}


@pytest.mark.parametrize(("content", "count"), SHAPES.values(), ids=SHAPES)
def test_shapes(content: Any, count: int) -> None:
    """One image is an object, several are an array, and either may be inside of others."""
    images = fl.from_pages(to_text(content))
    expected = fl.from_pages([item(1), item(2)][:count])
    pd.testing.assert_frame_equal(images.drop(columns="region"), expected.drop(columns="region"))


def test_nulls_of_net_are_null() -> None:
    """A number or a time without a value is 0 and the year 1 in .NET, and null here."""
    nothing: dict[str, Any] = {
        "MaxParallelLaunches": 0,
        "SnapshotConfiguration": {"TargetResourceCount": 0},
    }
    names = ["state_transition_time", "target_resource_count", "max_parallel_launches"]
    for time in ("/Date(-62135596800000)/", "0001-01-01T00:00:00", None):
        image = fl.from_pages([export(StateTransitionTime=time, **nothing)]).iloc[0]
        assert image[names].isna().tolist() == [True] * 3
    image = fl.from_pages([item(1, **nothing)]).iloc[0]
    assert image[["target_resource_count", "max_parallel_launches"]].tolist() == [0, 0]


def test_a_local_time_without_a_zone_is_refused() -> None:
    """A local time of an unknown machine is an error with the command that exports UTC."""
    local = export(StateTransitionTime="2026-01-14T10:30:15.552")
    with pytest.raises(fl.SourceError, match="without a time zone in the text") as caught:
        fl.from_pages(json.dumps(local))
    command = str(caught.value).partition("Export it again in UTC: ")[2]
    assert command.startswith("Get-EC2FastLaunchImage | Select-Object *, @{n='StateTransitionTime'")
    assert "e={$_.StateTransitionTime.ToUniversalTime()}} -ExcludeProperty" in command


MODEL = "Amazon.EC2.Model"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            export(SnapshotConfiguration=f"{MODEL}.FastLaunchSnapshotConfigurationResponse"),
            id="snapshots",
        ),
        pytest.param(export(LaunchTemplate="@{LaunchTemplateId=lt-1; Version=1}"), id="template"),
        pytest.param([f"{MODEL}.DescribeFastLaunchImagesSuccessItem"] * 2, id="images"),
        pytest.param({"FastLaunchImages": f"{MODEL}.A {MODEL}.A"}, id="joined"),
        pytest.param({"FastLaunchImages": [f"{MODEL}.A"]}, id="response"),
        pytest.param({"value": [f"{MODEL}.A"], "Count": 1}, id="array of 5.1"),
        pytest.param({"us-east-1": "System.Object[]"}, id="region"),
        pytest.param({"us-east-1": "System.Collections.Generic.List`1[A]"}, id="list"),
        pytest.param(export(ImageId={"a": "System.Collections.Hashtable"}), id="deeper"),
    ],
)
def test_an_export_that_was_cut_off(content: Any) -> None:
    """The name of a class in place of an object is an error with the depth to export with."""
    with pytest.raises(fl.SourceError) as caught:
        fl.from_pages(to_text(content))
    assert "in place of an object" in str(caught.value)
    assert "the -Depth of ConvertTo-Json was too small. Export it again with" in str(caught.value)


MESSAGES: list[Any] = [[{"Body": f"{MODEL}.A"}], {"Messages": "Amazon.SQS.Model.Message"}]
LAUNCHES: list[Any] = [{"Instances": f"{MODEL}.Instance"}, {"Activities": [f"{MODEL}.A"]}]


def test_messages_that_were_cut_off() -> None:
    """Events and launches have the same error."""
    for content in MESSAGES:
        with pytest.raises(fl.SourceError, match="-Depth of ConvertTo-Json was too small"):
            fl.from_events(to_text(content))
    with pytest.raises(fl.SourceError, match="-Depth of ConvertTo-Json was too small"):
        fl.from_events(to_text(make_event(detail="@{imageId=ami-1; state=enabled}")))
    for record in LAUNCHES:
        with pytest.raises(fl.SourceError, match="-Depth of ConvertTo-Json was too small"):
            fl.launches(to_text(record))


@pytest.mark.parametrize(
    "text", ["System.Exception: x", "Amazon.com is down", "@{x", "", "System", "System.Net x"]
)
def test_other_text_is_not_cut_off(text: str) -> None:
    """Text that only begins like the name of a class is text, as in logs of .NET."""
    check_depth([{"message": text}], "")
    assert fl.from_pages([item(1, StateTransitionReason=text)]).shape[0] == 1
    with pytest.warns(fl.FastLaunchWarning, match="1 of text without JSON"):
        assert len(fl.from_events([{"message": text}, make_event(1)])) == 1


def test_a_time_beyond_the_calendar_is_refused() -> None:
    """A time of 5.1 that no calendar has is an error, as other text that is no time."""
    with pytest.raises(fl.SourceError, match="StateTransitionTime"):
        fl.from_pages(export(StateTransitionTime=f"/Date({'9' * 17})/"))
