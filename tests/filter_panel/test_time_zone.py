"""The zone of a panel: checked, for all times that it shows, and for nothing that leaves it."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from zoneinfo import available_timezones

import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.time_zone import convert_times, parse_zone
from tests.helpers.cases import some
from tests.helpers.panel_screen import KEY, make_fleet
from tests.helpers.panel_widgets import read_chips, read_page, strip_tags
from tests.helpers.samples import HOSTILE

ZONES = ("UTC", "Asia/Tokyo", "America/New_York", "Asia/Kathmandu", "Africa/Abidjan")


@given(st.text() | st.none() | st.integers())
@example("../UTC")
@example("/etc/localtime")
@example("Europe")
@example("a" * 999)
@example(HOSTILE)
def test_no_other_name_is_a_zone(name: object) -> None:
    """A text of a browser that is no name of a zone, or a path, is refused in a short message."""
    assume(name not in available_timezones())
    with pytest.raises(fl.InputError, match=r"^There is no time zone .{1,60}\. Expected") as caught:
        parse_zone(name)
    assert len(str(caught.value)) < 160


def test_every_zone_is_known_by_its_name() -> None:
    """All zones of this machine's database can be chosen."""
    names = some(sorted(available_timezones()))
    assert [str(parse_zone(name)) for name in names] == names


@given(st.sampled_from(ZONES), st.lists(st.datetimes(timezones=st.just(UTC))))
def test_times_stay_the_same_instants(name: str, times: list[Any]) -> None:
    """In another zone, times are equal to what they were; other columns are the same."""
    column = pd.Series(times, dtype="datetime64[us, UTC]")
    rows = pd.DataFrame({"time": column, "text": pd.Series(["x"] * len(times), dtype="string")})
    in_bounds = rows[rows["time"].dt.year.between(1000, 9000)]
    converted = convert_times(in_bounds, parse_zone(name))
    assert (converted["time"] == in_bounds["time"]).all()
    assert str(converted["time"].dt.tz) == name
    pd.testing.assert_series_equal(converted["text"], in_bounds["text"])
    assert str(in_bounds["time"].dt.tz) == "UTC"


def test_all_times_on_the_screen_have_the_zone() -> None:
    """Table, details, headline, chips and sliders have the zone; a fleet keeps its own times."""
    fleet = make_fleet()
    filters = fl.Filters(state_transition_time=("2026-01-01T20:00Z", None))
    panel: Any = fl.panel(fleet, filters=filters)
    key = panel._tabs.table._page[0]
    panel.selected = [key]
    panel.time_zone = "Asia/Tokyo"
    since = panel.filtered.set_index(KEY).loc[key, "state_transition_time"]
    local = f"{since.tz_convert('Asia/Tokyo'):%Y-%m-%d %H:%M}"
    assert local != f"{since:%Y-%m-%d %H:%M}"
    page, details = read_page(panel), panel._detail._html.value
    assert "Since (Asia/Tokyo)" in page
    assert local in page
    assert f"{local} JST" in details
    assert "UTC" not in page
    findings = "<ul class='fl-image-findings'>"  # whose texts have UTC, with its name
    assert "UTC" not in strip_tags(details.partition(findings)[0])
    read = panel._headline.figures[-1]
    assert "2026-01-15 21:00:00 JST" in read["tip"]
    assert read_chips(panel) == ["In its state since: from 2026-01-02 05:00 JST"]
    assert {slider.zone for slider in panel._sliders.values()} == {"Asia/Tokyo"}
    panel.time_zone = "UTC"
    assert "Since (UTC)" in read_page(panel)


def test_what_leaves_the_panel_is_in_utc() -> None:
    """Files, code, filters and rows stay in UTC."""
    panel: Any = fl.panel(make_fleet())
    table = panel._tabs.table
    before = table._take_rows([0, 7]), panel.to_code("boto3"), panel.filtered, panel.filters
    panel.time_zone = "Asia/Tokyo"
    pd.testing.assert_frame_equal(table._take_rows([0, 7]), before[0])
    assert panel.to_code("boto3") == before[1]
    pd.testing.assert_frame_equal(panel.filtered, before[2])
    assert panel.filters == before[3]


def test_a_browser_cannot_set_an_unknown_zone() -> None:
    """A name that is no zone is refused and sent back; the panel keeps its zone."""
    panel: Any = fl.panel(make_fleet())
    sent: list[Any] = []
    panel._zone.send = sent.append
    for message in ({"zone": "Mars/Olympus"}, {"zone": HOSTILE}, {}, {"zone": ["UTC"]}):
        panel._zone._choose(panel._zone, message, [])
    assert ["There is no time zone" in it["error"] for it in sent] == [True] * 4
    assert panel.time_zone == "UTC"
    panel._zone._choose(panel._zone, {"zone": "Asia/Tokyo"}, [])
    assert panel.time_zone == panel._zone.zone == "Asia/Tokyo"


def test_a_view_keeps_the_zone() -> None:
    """A view has the zone; one with an unknown zone is refused, and nothing changes."""
    panel = fl.panel(make_fleet())
    panel.time_zone = "Asia/Tokyo"
    view = panel.view
    assert view["time_zone"] == "Asia/Tokyo"
    panel.view = {"time_zone": "UTC"}
    assert panel.time_zone == "UTC"
    with pytest.raises(fl.InputError, match="There is no time zone 'Mars'"):
        panel.view = {"time_zone": "Mars", "tab": "Code"}
    assert panel.view["tab"] == "Table"
    panel.view = view
    assert panel.time_zone == "Asia/Tokyo"
    with pytest.raises(fl.InputError, match="There is no time zone"):
        panel.time_zone = "Mars"
