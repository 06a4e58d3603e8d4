"""The findings tab: rules with their images, advice and commands, and what was unchecked."""

from __future__ import annotations

import asyncio
import io
import re
from html import escape
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel import tabs as tabs_module
from fastlaunch_nb.filter_panel.finding_group import PAGE_SIZE, write_commands
from fastlaunch_nb.filter_panel.findings_tab import EXPORTED
from fastlaunch_nb.filter_panel.tabs import TITLES
from fastlaunch_nb.formatting import to_single_line
from fastlaunch_nb.rules.evaluate import Evaluation
from fastlaunch_nb.rules.rule import SEVERITIES
from fastlaunch_nb.shells import SHELLS, get_native_shell
from fastlaunch_nb.sources.pages import empty_images
from tests.helpers.cases import some
from tests.helpers.panel_widgets import export, strip_tags
from tests.helpers.samples import HOSTILE

FINDINGS = TITLES.index("Findings")
KEY = ["account_id", "region", "image_id"]


def open_findings(images: pd.DataFrame, **data: Any) -> Any:
    """Return a panel whose findings tab is open."""
    panel = fl.panel(images, **data)
    panel._tabs.selected_index = FINDINGS
    return panel


def click(panel: Any, what: str, *, more: bool = False) -> None:
    """Click a button of the findings, as the browser reports it."""
    buttons = panel._tabs._findings.children[-1]
    buttons._handle_custom_msg({"do": what, "more": more}, [])


def get_groups(panel: Any) -> dict[str, Any]:
    """Return the visible groups by their rule, in their order."""
    return {group._rule: group for group in panel._tabs._findings._list.children}


def read_group(group: Any) -> str:
    """Return the HTML of an open group below its head."""
    return f"{group._advice.value} {group._table.value}"


@pytest.fixture
def fleet(images: pd.DataFrame) -> pd.DataFrame:
    """Many images with all that is needed to find problems, one of them with hostile text."""
    many = pd.concat([images.dropna(subset=[*KEY, "state", "state_transition_time"])] * 9)
    return many.assign(image_id=[f"ami-{n:017x}" for n in range(len(many))]).reset_index(drop=True)


# --- groups ---------------------------------------------------------------------------


def test_findings_are_grouped_by_rule_the_worst_first(fleet: pd.DataFrame) -> None:
    """Each rule is one line with severity, name and images; the worst is open, the others not."""
    panel, findings = open_findings(fleet), fl.findings(fleet)
    groups = get_groups(panel)
    assert set(groups) == set(findings["finding"])
    ranks = []
    for number, (rule, group) in some(list(enumerate(groups.items()))):
        rows = findings[findings["finding"] == rule]
        worst = min(map(SEVERITIES.index, rows["severity"]))
        head = strip_tags(group._head.value)
        assert SEVERITIES[worst] in head
        assert f"{len(rows)} image" in head
        assert f"aria-expanded='{'false' if number else 'true'}'" in group._head.value
        assert (group._body in group.children) == (number == 0)
        ranks.append(worst)
    assert ranks == sorted(ranks)


def test_a_line_opens_and_closes(fleet: pd.DataFrame) -> None:
    """A click opens a group, and another one closes it; what no button sends does nothing."""
    panel = open_findings(fleet)
    group = list(get_groups(panel).values())[-1]
    click(panel, f"open {group._rule}")
    assert group._body in group.children
    for what in ("open no-such", "next no-such", "select 0 no-such", "select x", "severity x", ""):
        click(panel, what)
    click(panel, f"select 999 {group._rule}")
    assert panel.selected == ()
    click(panel, f"open {group._rule}")
    assert group._body not in group.children


def test_texts_are_composed_for_the_page_only(fleet: pd.DataFrame) -> None:
    """Findings get their texts when they are on the screen or exported, and no others."""
    panel, findings = open_findings(fleet), fl.findings(fleet)
    assert set(panel._tabs._data.findings["evidence"].isna()) == {True}
    rule, group = next(iter(get_groups(panel).items()))
    rows = findings[findings["finding"] == rule]
    assert len(rows) > PAGE_SIZE
    for first in (0, PAGE_SIZE):
        for evidence in some(rows["evidence"].iloc[first : first + PAGE_SIZE]):
            assert escape(to_single_line(evidence)) in read_group(group)
        click(panel, f"next {rule}")
    click(panel, f"previous {rule}")
    click(panel, f"previous {rule}")
    assert f"1–{PAGE_SIZE} of {len(rows)}" in group._table.value
    exported = pd.read_csv(io.StringIO(export(panel._tabs._findings)[1]), dtype=str)
    assert exported["evidence"].tolist() == findings["evidence"].tolist()
    assert list(exported) == [name for name in EXPORTED if name in exported]


def test_hostile_text_is_text(fleet: pd.DataFrame) -> None:
    """No name, reason or rule from elsewhere becomes markup."""
    findings = fl.findings(fleet).head(3).assign(finding=HOSTILE, evidence=HOSTILE, advice=HOSTILE)
    panel = open_findings(fleet.assign(image_name=HOSTILE), findings=findings)
    [group] = get_groups(panel).values()
    for html in some([group._head.value, read_group(group)]):
        assert "<img" not in html
        assert "&lt;img" in html


# --- choices --------------------------------------------------------------------------


def test_severities_and_rules_filter_with_counts(fleet: pd.DataFrame) -> None:
    """A severity keeps its findings, a second click all; so does the choice of a rule."""
    panel, findings = open_findings(fleet), fl.findings(fleet)
    view = panel._tabs._findings
    counts = findings["severity"].value_counts()
    for name, count in some(counts.items()):
        assert re.search(rf"{name} {count}\b", strip_tags(view._severities.value))
    click(panel, f"severity {counts.index[-1]}")
    assert len(view._positions) == counts.iloc[-1]
    remaining = findings[findings["severity"] == counts.index[-1]]
    labels = [label for label, _ in view._rule.options]
    assert labels[0] == f"all ({len(remaining)})"
    assert set(get_groups(panel)) == set(remaining["finding"])
    click(panel, f"severity {counts.index[-1]}")
    view._rule.value = rule = remaining["finding"].iloc[0]
    assert list(get_groups(panel)) == [rule]
    assert view._rule.value == rule
    panel.filters = fl.Filters(text="no such image")
    assert "No finding on these images" in view._message.value
    assert list(get_groups(panel)) == []
    assert view._rule.value == rule
    panel.filters = fl.Filters()
    assert list(get_groups(panel)) == [rule]


def test_without_commands_there_is_no_choice_of_a_shell(images: pd.DataFrame) -> None:
    """The choice is visible only if a finding has a command."""
    known = images.dropna(subset=[*KEY, "state", "state_transition_time"])
    findings = fl.findings(known)
    without = findings.assign(command=findings["command"].mask(findings["command"].notna()))
    displays = [
        open_findings(known, findings=rows)._tabs._findings._shell.layout.display
        for rows in (findings, without)
    ]
    assert displays == [None, "none"]


# --- commands -------------------------------------------------------------------------


def test_commands_are_for_the_chosen_shell(images: pd.DataFrame) -> None:
    """The choice of a shell renders each command; a command that is not ours names its shell."""
    known = images.dropna(subset=[*KEY, "state", "state_transition_time"])
    ours = fl.findings(known).dropna(subset=["command"]).iloc[[0]]
    foreign = ours.assign(command="ls", finding="mine")
    panel = open_findings(known, findings=pd.concat([ours, foreign], ignore_index=True))
    view = panel._tabs._findings
    assert view._shell.value == get_native_shell()
    for group in list(get_groups(panel).values())[1:]:
        click(panel, f"open {group._rule}")
    for shell in some(SHELLS):
        view._shell.value = shell
        texts = "".join(read_group(group) for group in get_groups(panel).values())
        assert escape(fl.render_command(ours["command"].iloc[0], shell)) in texts
        assert ("For a POSIX shell: ls" in texts) == (shell != "posix")


def test_copied_commands_are_one_a_line_below_their_image(fleet: pd.DataFrame) -> None:
    """All commands of a rule can be pasted: each below a comment, which is harmless."""
    findings = fl.findings(fleet).dropna(subset=["command"]).assign(image_name=HOSTILE)
    foreign = findings.iloc[[0]].assign(command="ls")
    for shell, mark in some({"posix": "#", "powershell": "#", "cmd": "REM"}.items()):
        lines = write_commands(findings, shell).splitlines()
        commands = [fl.render_command(command, shell) for command in findings["command"]]
        assert lines[1::2] == commands
        comment = re.compile(rf"{mark} [\w .:,/@+?-]+", re.ASCII)
        assert [line for line in some(lines[::2]) if not comment.fullmatch(line)] == []
        [_, last] = write_commands(foreign, shell).splitlines()
        assert (last == "ls") == (shell == "posix")
    panel = open_findings(fleet)
    group = next(iter(get_groups(panel).values()))
    assert write_commands(findings, "posix").count("\n") > 2
    assert group._write_commands().count("\naws") == 0
    assert group._write_command() in group._write_commands()


# --- selection ------------------------------------------------------------------------


def test_a_click_selects_the_image_of_a_finding(fleet: pd.DataFrame) -> None:
    """A row selects its image alone, with a key one more; its command is on the screen."""
    panel = open_findings(fleet)
    rule, group = next(iter(get_groups(panel).items()))
    first, second = group.page_keys[:2]
    click(panel, f"select 0 {rule}")
    assert panel.selected == (first,)
    click(panel, f"select 1 {rule}")
    assert panel.selected == (second,)
    assert f"for <b>{second[-1]}</b>" in group._advice.value
    assert group._table.value.count("aria-pressed='true'") == 1
    click(panel, f"select 0 {rule}", more=True)
    assert set(panel.selected) == {first, second}
    click(panel, f"select 0 {rule}", more=True)
    click(panel, f"select 1 {rule}")
    assert panel.selected == ()


def test_a_finding_about_no_image_selects_none(images: pd.DataFrame) -> None:
    """A finding about a region has nothing to select, and counts as a finding, not an image."""
    findings = fl.findings(images).head(1)
    findings["image_id"] = pd.array([None], dtype="string")
    panel = open_findings(images, findings=findings)
    [(rule, group)] = get_groups(panel).items()
    assert "1 finding" in strip_tags(group._head.value)
    assert "aria-pressed" not in group._table.value
    click(panel, f"select 0 {rule}")
    assert panel.selected == ()


def test_findings_of_other_images_stay_until_a_filter_applies(images: pd.DataFrame) -> None:
    """Without a filter the tab shows findings of images that the panel does not have, too."""
    known = images[images["region"] == "us-east-1"]
    findings = fl.findings(images)
    for rows in (known, empty_images()):
        panel = open_findings(rows, findings=findings)
        assert len(panel._tabs._findings._positions) == len(findings)
    assert len(findings) > findings["region"].eq("us-east-1").sum()


# --- before and after the check -------------------------------------------------------


def test_a_message_shows_that_findings_take_time(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the findings are there, their tab does not look as if nothing were wrong."""
    panel: Any = fl.panel(images)
    view, messages = panel._tabs._findings, list[str]()

    def check(*arguments: Any) -> Evaluation:
        assert view._message in view.children
        assert view._list.children == ()
        messages.append(view._message.value)
        return Evaluation(*arguments)

    monkeypatch.setattr("fastlaunch_nb.filter_panel.panel_data.Evaluation", check)
    panel._tabs.selected_index = FINDINGS
    [message] = messages
    assert "Checking for problems" in message
    assert view._message.value == ""
    assert view._list.children


def test_the_tab_has_a_count_once_it_is_known(images: pd.DataFrame) -> None:
    """Its title has the number of findings if these were passed, or since it was open."""
    findings = fl.findings(images)
    passed, own = fl.panel(images, findings=findings), fl.panel(images)
    assert passed._tabs.titles[FINDINGS] == f"Findings ({len(findings)})"
    assert own._tabs.titles[FINDINGS] == "Findings"
    own._tabs.selected_index = FINDINGS
    own.filters = fl.Filters(region="us-east-1")
    count = findings["region"].eq("us-east-1").sum()
    assert own._tabs.titles[FINDINGS] == f"Findings ({count})"


def test_an_idle_panel_of_few_images_counts_by_itself(
    images: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks for problems after a pause, unless it is closed by then; a large one does not."""
    monkeypatch.setattr(tabs_module, "_IDLE", 0.0)

    async def open_panel(*, few: int, closes: bool) -> str:
        monkeypatch.setattr(tabs_module, "_FEW", few)
        panel = fl.panel(images)
        if closes:
            panel.close()
        for _ in range(3):  # turns of the loop
            await asyncio.to_thread(int)
        return str(panel._tabs.titles[FINDINGS])

    title = f"Findings ({len(fl.findings(images))})"
    assert asyncio.run(open_panel(few=100, closes=False)) == title
    assert asyncio.run(open_panel(few=1, closes=False)) == "Findings"
    assert asyncio.run(open_panel(few=100, closes=True)) == "Findings"


def test_findings_name_the_rules_that_could_not_judge(images: pd.DataFrame) -> None:
    """A note has the unchecked rules by the join that would check them, as far as one would.

    Passed findings may have had more.
    """
    known = images.dropna(subset=["state", "state_transition_time"])
    time = pd.Timestamp("2030-01-01", tz="UTC")
    ami = {"image_state": "available", "image_deprecation_time": time}

    def read_note(images: pd.DataFrame, **data: Any) -> str:
        note = str(open_findings(images, **data)._tabs._findings._unchecked.value)
        return strip_tags(note.replace("<li>", "\n"))

    own, passed = read_note(known), read_note(known, findings=fl.findings(known))
    for note in (own, passed):
        assert re.search(rf"\d+ of {len(fl.RULES)} rules could not judge all images", note)
        assert '\nkms would check 1 more rule: kms-key. fl.enrich(images, "kms")' in note
        assert "\nami would check 2 more rules: image-gone, image-deprecated." in note
        assert "stuck" not in note
    assert "\ncoverage and snapshots would check 1 more rule: orphaned. Pass coverage=" in own
    assert "orphaned" not in passed
    joined = read_note(known.assign(**ami))  # type: ignore[arg-type]
    assert "\nami would check" not in joined
    unknown = read_note(known.assign(kms_key_id=pd.Series(pd.NA, known.index, "string")))
    assert re.search(r"judged only a part: [^.]*kms-key[^.]*\. fl\.unchecked\(images\)", unknown)
