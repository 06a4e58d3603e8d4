"""The control pages of the emulator, which other processes use over HTTP."""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest

from fastlaunch_nb.demo_fleet.demo import Demo
from fastlaunch_nb.emulator.change_log import CHANGE_LOG, to_json_lines
from tests.helpers.cases import some
from tests.helpers.samples import ROOT, run


def request_page(demo: Demo, page: str, content: object = None) -> str:
    """Return a control page; content is posted to it."""
    body = None if content is None else json.dumps(content).encode()
    address = f"{demo.endpoint_url}/fastlaunch/{page}"
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return str(answer.read().decode())


def test_events_are_notifications(demo: Demo) -> None:
    """The page of events has one notification per line, as AWS writes it, in order."""
    events = [json.loads(line) for line in request_page(demo, "events").splitlines()]
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    first = events[0]
    arn = f"arn:aws:ec2:{first['region']}:{first['account']}:image/{first['detail']['imageId']}"
    assert first["resources"] == [arn]
    assert first["detail-type"] == "EC2 Fast Launch State-change Notification"
    assert list(first["detail"]) == ["imageId", "resourceType", "state", "stateTransitionReason"]
    recent = demo.history.events
    assert [event["id"] for event in events][-len(recent) :] == recent["event_id"].tolist()


def test_other_processes_move_the_clock(demo: Demo) -> None:
    """The clock page returns and moves the time; it refuses a wrong duration and moves nothing."""
    before = demo.clock.now()
    assert json.loads(request_page(demo, "clock")) == {"now": before.isoformat()}
    request_page(demo, "clock", {"hours": 6})
    assert demo.clock.now() == before + timedelta(hours=6)
    for wrong in ({"hours": -1}, {"parsecs": 1}, 5):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            request_page(demo, "clock", wrong)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        request_page(demo, "nonsense")
    assert demo.clock.now() == before + timedelta(hours=6)


def test_the_curl_examples_work(demo: Demo, tmp_path: Path) -> None:
    """The curl commands in the docs print what the docs show, and the events are complete."""
    page = (ROOT / "docs" / "demo.md").read_text("utf-8")
    [block] = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    if not shutil.which("curl"):
        pytest.skip("curl is not installed.")
    for command, expected in some(re.findall(r"\$ (.+)\n([^$]*)", block)):
        assert run("sh", "-c", command, cwd=tmp_path).stdout.strip() == expected.strip(), command
    assert (tmp_path / "events.jsonl").read_text() == to_json_lines(CHANGE_LOG)
