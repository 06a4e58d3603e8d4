"""The tabs: charts and findings of the filtered images, and selecting in them."""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.tabs import TITLES
from fastlaunch_nb.formatting import to_single_line
from fastlaunch_nb.rules.evaluate import Evaluation
from fastlaunch_nb.shells import get_native_shell
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.panel_widgets import read_table

TIMELINE, CAPACITY, FINDINGS, CODE = (
    TITLES.index(title) for title in ("Timeline", "Capacity", "Findings", "Code")
)
KEY = ["account_id", "region", "image_id"]


def get_keys_of_chart(tabs: Any) -> set[Any]:
    """Return the keys of the images in the rows of the open chart."""
    return {key for keys in tabs._chart._rows.values() for key in keys}


@pytest.mark.parametrize("tab", [TIMELINE, CAPACITY])
def test_a_click_in_a_chart_selects(images: pd.DataFrame, tab: int) -> None:
    """A click selects a row's image, with a modifier one more; a second click deselects it."""
    panel = fl.panel(images)
    panel._tabs.selected_index = tab
    chart = panel._tabs._chart
    (row, keys), (other_row, other_keys) = list(chart._rows.items())[:2]

    def click(row: int, *, more: bool = False) -> None:
        chart._handle_custom_msg({"row": row, "more": more}, [])

    click(row)
    assert panel.selected == tuple(keys)
    assert len(chart.bands) == 1
    click(other_row, more=True)
    assert set(panel.selected) == {*keys, *other_keys}
    click(row)
    assert panel.selected == tuple(keys)
    click(row)
    assert panel.selected == ()
    assert chart.bands == []
    click(12345)
    assert panel.selected == ()


def test_charts_share_one_plotly(images: pd.DataFrame) -> None:
    """All panels share one plotly.js, made when a chart opens, and anew if it was closed."""
    panels = [fl.panel(images) for _ in range(2)]
    charts: Any = [panel._tabs._chart for panel in panels]
    assert [chart.library for chart in charts] == [None, None]
    for panel in panels:
        panel._tabs.selected_index = TIMELINE
    first, second = (chart.library for chart in charts)
    assert first is second
    assert "Plotly" in first.source
    first.close()
    panels[0]._tabs.selected_index = CAPACITY
    assert charts[0].library is not first


def test_a_tab_draws_the_current_filters(images: pd.DataFrame) -> None:
    """A tab shows the current filters when it opens, even if they changed under another tab."""
    panel = fl.panel(images)
    tabs = panel._tabs
    tabs.selected_index = CAPACITY
    assert len(tabs._chart._rows) == len(images)
    tabs.selected_index = CODE
    panel.filters = fl.Filters(region="eu-west-1")
    assert "eu-west-1" in tabs._code._html.value
    tabs.selected_index = TIMELINE
    assert len(tabs._chart._rows) == 3
    tabs.selected_index = FINDINGS
    expected = fl.findings(images)
    expected = expected[expected["region"] == "eu-west-1"]
    _, text = tabs._findings._table._export(",")
    exported = pd.read_csv(io.StringIO(text), dtype=str)
    texts = ["evidence", "advice", "command"]
    assert exported[texts].to_numpy().tolist() == expected[texts].to_numpy().tolist()


def test_texts_are_composed_for_the_page_only(images: pd.DataFrame) -> None:
    """Findings get their texts when they are visible, exported, or sorted by."""
    fleet = pd.concat([images] * 9, ignore_index=True)
    fleet = fleet.assign(image_id=[f"ami-{n:03}" for n in range(len(fleet))])
    tabs: Any = fl.panel(fleet)._tabs
    tabs.selected_index = FINDINGS
    table, expected = tabs._findings._table, fl.findings(fleet)
    assert len(expected) > len(table._page)
    assert set(table._rows["evidence"].isna()) == {True}
    for evidence in some(expected["evidence"].head(len(table._page))):
        assert escape(to_single_line(evidence)) in read_table(table)
    table._sort.value = "evidence"
    exported = pd.read_csv(io.StringIO(table._export(",")[1]), dtype=str)
    assert exported["evidence"].tolist() == sorted(expected["evidence"])


def test_given_intervals_and_findings_are_filtered(images: pd.DataFrame) -> None:
    """The tabs show the given intervals and findings, as far as their images match."""
    known = images.dropna(subset=KEY)
    intervals = fl.intervals(known.drop_duplicates(KEY))
    panel = fl.panel(known, intervals=intervals, findings=fl.findings(known).head(2))
    tabs = panel._tabs
    tabs.selected_index = FINDINGS
    assert tabs._findings._table._mask.sum() == 2
    tabs.selected_index = TIMELINE
    panel.filters = fl.Filters(region="eu-west-1")
    keys = get_keys_of_chart(tabs)
    assert keys
    assert {key[1] for key in keys} == {"eu-west-1"}
    panel.filters = fl.Filters()
    assert get_keys_of_chart(tabs) == set(intervals[KEY].itertuples(index=False))
    with pytest.raises(InputError, match="lacks"):
        fl.panel(known, intervals=known)
    with pytest.raises(InputError, match=r"fl\.findings"):
        fl.panel(known, findings=known)


def test_a_message_shows_that_findings_take_time(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the findings are there, their tab does not look as if nothing were wrong."""
    tabs: Any = fl.panel(images)._tabs
    messages: list[str] = []

    def check(*arguments: Any) -> Evaluation:
        view = tabs._findings
        assert view._table in view.children
        assert view._table._itable.layout.display == "none"
        messages.append(view._table._message.value)
        return Evaluation(*arguments)

    monkeypatch.setattr("fastlaunch_nb.filter_panel.panel_data.Evaluation", check)
    tabs.selected_index = FINDINGS
    [message] = messages
    assert "Checking for problems" in message
    assert tabs._findings._table._message.value == ""
    assert tabs._findings._table._itable.layout.display is None


def test_findings_name_the_rules_that_could_not_judge(images: pd.DataFrame) -> None:
    """Below the findings stand the rules without a value; passed findings may have had more."""
    known = images.dropna(subset=["state", "state_transition_time"])

    def read_note(**data: Any) -> str:
        tabs: Any = fl.panel(known, **data)._tabs
        tabs.selected_index = FINDINGS
        return str(tabs._findings._unchecked.value)

    own, passed = read_note(), read_note(findings=fl.findings(known))
    for note in (own, passed):
        assert re.search(rf"\d+ of {len(fl.RULES)} rules could not judge all images", note)
        assert "kms-key" in note
        assert "fl.unchecked(images)" in note
        assert "stuck" not in note
    assert "orphaned" in own
    assert "orphaned" not in passed


def test_commands_are_for_the_chosen_shell(images: pd.DataFrame) -> None:
    """The choice of a shell renders each command; a command that is not ours names its shell."""
    known = images.dropna(subset=[*KEY, "state", "state_transition_time"])
    findings = fl.findings(known)
    ours = findings["command"].dropna().iloc[0]
    foreign = findings.iloc[[0]].assign(command="ls")
    rows = pd.concat([findings[findings["command"].eq(ours)], foreign], ignore_index=True)
    tabs: Any = fl.panel(known, findings=rows)._tabs
    tabs.selected_index = FINDINGS
    assert tabs._findings._shell.value == get_native_shell()
    for shell in ("posix", "powershell", "cmd"):
        tabs._findings._shell.value = shell
        page = read_table(tabs._findings._table)
        assert escape(fl.render_command(ours, shell)) in page
        assert ("For a POSIX shell: ls" in page) == (shell != "posix")


def test_code_for_the_aws_cli_is_for_the_chosen_shell(images: pd.DataFrame) -> None:
    """The choice of a shell is there for commands only, and changes their quotes."""
    panel = fl.panel(images, filters=fl.Filters(region="eu-west-1", state=["enabled"]))
    panel._tabs.selected_index = CODE
    view: Any = panel._tabs._code
    assert view._shell.layout.display == "none"
    view._kind.value = "cli"
    assert view._shell.layout.display is None
    for shell in ("posix", "powershell", "cmd"):
        view._shell.value = shell
        assert escape(panel.to_code("cli", shell=shell)) in view._html.value
    assert "Name=state,Values=enabled" in view._html.value


def test_without_commands_there_is_no_choice_of_a_shell(images: pd.DataFrame) -> None:
    """The choice is visible only if a finding has a command."""
    known = images.dropna(subset=[*KEY, "state", "state_transition_time"])
    findings = fl.findings(known)
    without = findings.assign(command=findings["command"].mask(findings["command"].notna()))
    displays = []
    for rows in (findings, without):
        tabs: Any = fl.panel(known, findings=rows)._tabs
        tabs.selected_index = FINDINGS
        displays.append(tabs._findings._shells.layout.display)
    assert displays == [None, "none"]


def test_tabs_show_names(images: pd.DataFrame) -> None:
    """Timeline and findings show the names of images, filtered or not, given or computed."""
    known = images.dropna(subset=KEY)
    named = known.assign(image_name=[f"image-{number}" for number in range(len(known))])
    intervals = fl.intervals(known.drop_duplicates(KEY))
    panel = fl.panel(named, intervals=intervals, findings=fl.findings(known))
    panel._tabs.selected_index = TIMELINE
    for filters in (fl.Filters(), fl.Filters(region="eu-west-1")):
        panel.filters = filters
        assert "image-" in panel._tabs._chart.figure
    names = panel._tabs._data.findings["image_name"]
    assert set(names.dropna()) <= set(named["image_name"])
    assert set(names.notna()) == {True}


def test_findings_of_other_images_stay_until_a_filter_applies(images: pd.DataFrame) -> None:
    """Without a filter the tab shows findings of images that the panel does not have, too."""
    known = images[images["region"] == "us-east-1"]
    findings = fl.findings(images)
    for rows, matching in ((known, fl.Filters(region="us-east-1")), (empty_images(), fl.Filters())):
        panel = fl.panel(rows, findings=findings)
        panel._tabs.selected_index = FINDINGS
        assert panel._tabs._findings._table._mask.sum() == len(findings)
        panel.filters = matching
    assert len(findings) > findings["region"].eq("us-east-1").sum()


def test_a_finding_about_no_image_selects_none(images: pd.DataFrame) -> None:
    """A click on a finding about a region selects nothing, and its row does not stay selected."""
    findings = fl.findings(images).head(2)
    findings["image_id"] = pd.array([None, findings["image_id"].iloc[1]], dtype="string")
    panel = fl.panel(images, findings=findings)
    panel._tabs.selected_index = FINDINGS
    table = panel._tabs._findings._table
    table._itable.selected_rows = [0]
    assert panel.selected == ()
    assert table._itable.selected_rows == []
    table._itable.selected_rows = [0, 1]
    assert panel.selected == (table._page[1],)
    assert table._itable.selected_rows == [1]
