"""The details of selected images: one in full, two side by side, more as counts."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.time_bar import MAX_STATES, find_stays, render_time_bar
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.panel_screen import make_fleet
from tests.helpers.panel_widgets import strip_tags
from tests.helpers.samples import HOSTILE

KEY = ["account_id", "region", "image_id"]


def select(panel: Any, rows: pd.DataFrame) -> str:
    """Select images, and return the HTML of their details."""
    panel.selected = list(rows[KEY].itertuples(index=False, name=None))
    html: str = panel._detail._html.value
    return html


def read(html: str) -> str:
    """Return the text of some HTML on one line."""
    return " ".join(strip_tags(html.replace("<", " <")).split())


@pytest.fixture(scope="module")
def fleet() -> pd.DataFrame:
    """A fleet; its first image has hostile text everywhere."""
    return make_fleet()


def test_one_image_shows_all_of_it(fleet: pd.DataFrame) -> None:
    """All known fields, the stock, the time, findings with commands, and links."""
    panel = fl.panel(fleet)
    image = fleet[fleet["state"] == "enabling-failed"].iloc[[1]]
    html = select(panel, image)
    text, row = read(html), image.iloc[0]
    for column in some(
        ["image_name", "image_id", "account_id", "region", "state_transition_reason"]
    ):
        assert str(row[column]) in text, column
    assert f"{row['available_snapshots']} of {row['target_resource_count']} snapshots" in text
    assert "Unknown: Launch template ID" in text
    assert "high failed : enabling-failed" in text
    findings = fl.findings(fleet)
    own = findings[findings["image_id"] == row["image_id"]]
    assert html.count("<pre class='fl-code'") == own["command"].notna().sum() > 0
    name, commands = panel._detail._copy._make_content()
    assert name == "commands.txt"
    assert len(commands.splitlines()) == own["command"].notna().sum()


def test_links_open_a_new_page(fleet: pd.DataFrame) -> None:
    """Links lead to the console of the image's region, in a page that knows nothing of this one."""
    image = fleet.iloc[[3]].assign(launch_template_id="lt-0abcdef1234567890")
    html = select(fl.panel(image), image)
    links = re.findall(r"<a href='([^']+)' target='_blank' rel='noopener noreferrer'", html)
    assert [link.partition("#")[2].partition(":")[0] for link in links] == [
        "ImageDetails",
        "LaunchTemplateDetails",
        "Snapshots",
    ]
    start = f"https://console.aws.amazon.com/ec2/home?region={image['region'].iloc[0]}#"
    assert all(link.startswith(start) for link in some(links))


def test_hostile_text_is_text(fleet: pd.DataFrame) -> None:
    """Markup in names, templates, states and reasons is text, in every form of the details."""
    evil = dict.fromkeys(["state", "region", "launch_template_id", "account_id"], HOSTILE)
    images = fleet.iloc[[0, 0, 0]].assign(**evil, image_id=[HOSTILE, "ami-1", "ami-2"])
    panel = fl.panel(images)
    for count in (1, 2, 3):
        html = select(panel, images.iloc[:count])
        assert "&lt;img" in html
        assert "<img" not in html
        assert "<script" not in html


def test_two_images_are_compared(fleet: pd.DataFrame) -> None:
    """Two images stand side by side; a sign marks the fields that differ, and only these."""
    pair = fleet[fleet["state"] == "enabled"].iloc[[2, 3]]
    html = select(fl.panel(fleet), pair)
    marked = re.findall(r"<tr class='fl-differs'><th[^>]*><span[^>]*>≠</span> ([^<]+)<", html)
    one, two = (pair.iloc[n].astype(object) for n in (0, 1))
    names = ["account_id", "region", "state", "target_resource_count", "max_parallel_launches"]
    for name in some(names):
        label = name.replace("_", " ").capitalize().replace(" id", " ID")
        assert (label in marked) == (one[name] != two[name]), name
    assert f"{len(marked)} fields differ" in read(html)


def test_more_images_are_counted(fleet: pd.DataFrame) -> None:
    """More than two images are counts by state, the worst first."""
    text = read(select(fl.panel(fleet), fleet))
    assert text.startswith("60 images selected")
    assert text.index("enabling-failed: 11") < text.index("enabled: 33")


def test_the_details_follow_the_selection(fleet: pd.DataFrame) -> None:
    """Details open with a selection, close by a button, follow new data, and end with it."""
    panel = fl.panel(fleet)
    assert not panel._detail.children
    select(panel, fleet.iloc[[1]])
    head = panel._detail.children[1]
    head.children[1].click()
    assert not panel._detail.children
    assert len(panel.selected) == 1
    html = select(panel, fleet.iloc[[2]])
    changed = fleet.assign(state_transition_reason="a new reason")
    panel.update(changed)
    assert "a new reason" in panel._detail._html.value != html
    panel.update(empty_images())
    assert not panel._detail.children


def test_details_are_made_once() -> None:
    """The widgets are made at the first selection, and every one is closed with the panel."""
    fleet = make_fleet()
    before = len(_instances)
    panel = fl.panel(fleet)
    opened = len(_instances)
    for number in range(3):
        select(panel, fleet.iloc[[number]])
    selected = len(_instances)
    select(panel, fleet.iloc[[5, 6]])
    assert len(_instances) == selected > opened
    panel.close()
    assert len(_instances) <= before + 12  # layouts and styles that all panels share


# --- the time bar ---------------------------------------------------------------------


def test_the_time_bar_has_the_states_of_the_intervals(fleet: pd.DataFrame) -> None:
    """The bar has each interval, as wide as its share of the time; the list has the last first."""
    earlier = fleet.assign(
        observed_at=fleet["observed_at"] - pd.Timedelta(days=9),
        state="enabling",
        state_transition_time=fleet["state_transition_time"] - pd.Timedelta(days=20),
    )
    intervals = fl.intervals(pd.concat([earlier, fleet], ignore_index=True))
    image = fleet[fleet["state"] == "enabled"].iloc[[1]]
    own = intervals[intervals["image_id"] == image["image_id"].iloc[0]]
    html = select(fl.panel(fleet, intervals=intervals), image)
    assert html.count("<i class='fl-stay") == len(own) >= 2
    ends = own["end"].fillna(own["last_seen"])
    for seconds in some((ends - own["start"]).dt.total_seconds()):
        assert f"flex-grow:{seconds:.0f};" in html
    listed = html.partition("class='fl-stays'")[2]
    assert listed.index(" enabled ") < listed.index(" enabling ")


def test_a_long_past_is_cut() -> None:
    """The list has the last states, and how many there were before."""
    times = pd.date_range("2026-01-01", periods=20, freq="h", tz="UTC")
    intervals = pd.DataFrame(
        {
            "state": ["enabled", "enabling"] * 10,
            "start": times,
            "end": [*times[1:], pd.NaT],
            "last_seen": times,
            "start_exact": [False] + [True] * 19,
        }
    )
    stays = find_stays({}, intervals)
    html = render_time_bar(stays, times[0], times[-1])
    assert html.count("<li>") == MAX_STATES + 1
    assert f"and {20 - MAX_STATES} earlier" in html
    assert stays[0].text == "enabled 1 h, since 2026-01-01 00:00 UTC or earlier"


def test_without_any_time_there_is_no_bar(fleet: pd.DataFrame) -> None:
    """An image without a known time has no bar, alone and in a pair."""
    times = fleet["state_transition_time"].where(lambda times: times.isna())
    images = fleet.assign(state_transition_time=times).iloc[[1, 2]]
    panel = fl.panel(images)
    assert "fl-time-bar" not in select(panel, images.iloc[[0]])
    assert "fl-time-bar" not in select(panel, images)
