"""The groups of a panel's table: lines that open to their images, and follow the filters."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.errors import InputError
from fastlaunch_nb.filter_panel.selection import get_keys
from tests.helpers.cases import some
from tests.helpers.panel_widgets import strip_tags
from tests.helpers.samples import HOSTILE
from tests.helpers.selections import IMAGES


def click(table: Any, action: str) -> None:
    """Click a button of the groups."""
    _, buttons = table._groups._invisible
    buttons._handle_custom_msg({"do": action}, [])


def read_lines(table: Any) -> list[str]:
    """Return the text of each line of groups above, then below the open one."""
    html = f"{table._groups.above.value}{table._groups.below.value}"
    rows = re.findall("<tr>(<th scope='row'>.*?)</tr>", html)
    return [" ".join(strip_tags(row.replace("<td>", " ")).split()) for row in rows]


def test_groups_follow_the_filters() -> None:
    """There is a line for each group of the visible images, and one for all of them."""
    panel = fl.panel(IMAGES)
    table: Any = panel._tabs._table
    table._group.value = "region"
    assert [line.split()[:2] for line in read_lines(table)][-1] == ["All", "3"]
    panel.filters = fl.Filters(region=["eu-west-1", None])
    lines = read_lines(table)
    assert len(lines) == 3
    assert sum(line.startswith("▸ eu-west-1 3 ") for line in lines) == 1
    assert sum(line.startswith("▸ not known 1 ") for line in lines) == 1
    assert lines[-1].startswith("All 2 groups 4 ")
    table._group.value = ""
    assert table._groups.above not in table.children


def test_a_group_opens_to_its_images() -> None:
    """A click shows the group's images in place, which can be selected; a second one hides them."""
    panel = fl.panel(IMAGES)
    table: Any = panel._tabs._table
    table.group = "region"
    assert table._itable.layout.display == "none"
    number = [line.split()[1] for line in read_lines(table)].index("eu-west-1")
    click(table, f"group {number}")
    expected = set(get_keys(IMAGES[IMAGES["region"] == "eu-west-1"]))
    assert set(table._page) == expected
    assert table._itable.layout.display != "none"
    assert read_lines(table)[number].startswith("▾ eu-west-1")
    table._itable.selected_rows = [0]
    assert panel.selected == (table._page[0],)
    panel.filters = fl.Filters(region="eu-west-1")
    assert set(table._page) == expected  # it stays open
    click(table, "group 0")
    assert table._itable.layout.display == "none"
    assert panel.selected  # what is selected stays so


def test_groups_have_pages() -> None:
    """As many groups as rows are on a page; clicks beyond the ends and bad ones do nothing."""
    images = pd.concat([IMAGES] * 12, ignore_index=True)
    images["launch_template_name"] = [f"template-{n:02}" for n in range(96)]
    table: Any = fl.panel(images)._tabs._table
    table.group = "launch_template"
    labels: list[str] = []
    for _ in range(12):
        labels += [line.split()[1] for line in read_lines(table)[:-1]]
        click(table, "next")
    assert len(set(labels)) == 96
    assert "91–96 of 96 groups" in strip_tags(table._groups.below.value)
    for action in ("next", "group 6", "group x", "what", "group -1", ""):
        click(table, action)
    assert len(read_lines(table)) == 7
    assert table._page == []
    table._size.value = 100
    assert len(read_lines(table)) == 97


def test_what_is_not_known_is_not_counted_as_nothing() -> None:
    """A sum without some values is at least what it says; without any it is not known."""
    images = IMAGES.iloc[[0] * 4].assign(
        region=["a", "a", "b", "c"],
        target_resource_count=pd.array([5, None, None, 7], dtype="Int64"),
        available_snapshots=pd.array([1, 2, None, None], dtype="Int64"),
        monthly_usd_low=pd.array([1.5, 2, None, 3], dtype="Float64"),
        monthly_usd_high=pd.array([4, 6, None, None], dtype="Float64"),
    )
    table: Any = fl.panel(images)._tabs._table
    table.group = "region"
    assert sorted(read_lines(table)) == [
        "All 3 groups 4 0 ≥ 122 not known ≥ 32 not known ≥ 6.502 not known",
        "▸ a 2 0 ≥ 51 not known 3 3.50 – 10.00",
        "▸ b 1 0 not known not known not known",
        "▸ c 1 0 7 not known ≥ 3.001 not known",
    ]


@pytest.mark.parametrize("by", ["account_id", "region", "launch_template", "state", "image_name"])
def test_text_of_groups_is_escaped(by: str) -> None:
    """Names from AWS are text in the lines of groups, whatever they contain."""
    names = ["account_name", "region", "launch_template_name", "state", "image_name"]
    images = IMAGES.assign(**dict.fromkeys(names, HOSTILE))
    table: Any = fl.panel(images)._tabs._table
    table.group = by
    html = f"{table._groups.above.value}{table._groups.below.value}"
    assert "<img" not in html
    assert "<script" not in html
    for line in some(read_lines(table)[:-1]):
        assert line.startswith("▸ ")


def test_undo_and_views_have_the_groups() -> None:
    """Grouping can be undone, and a view has it; what is no group is refused."""
    panel = fl.panel(IMAGES)
    table: Any = panel._tabs._table
    table._group.value = "state"
    view = panel.view
    assert view["group"] == "state"
    panel.undo()
    assert (table.group, table._group.value) == ("", "")
    panel.view = view
    assert (table.group, table._group.value) == ("state", "state")
    for bad in ("owner", 5, ["state"]):
        with pytest.raises(InputError, match=r"Its group is .*, not one of '', 'account_id'"):
            panel.view = {"group": bad}
        with pytest.raises(InputError, match=r"group is .* Expected one of account_id"):
            table.group = bad
    assert table.group == "state"


def test_images_without_names_lose_their_groups_of_names() -> None:
    """New data without names is not grouped by name any more."""
    panel = fl.panel(IMAGES)
    panel._tabs._table.group = "image_name"
    panel.update(IMAGES.drop(columns="image_name"))
    assert panel._tabs._table.group == ""
    assert len(panel._tabs._table._page) == len(IMAGES)


def test_no_image_has_no_group() -> None:
    """With no image to show there is the message that says so, and no group."""
    panel = fl.panel(IMAGES, filters=fl.Filters(text="nothing like it"))
    panel._tabs._table.group = "region"
    assert "No image matches" in panel._tabs._table._message.value
    assert read_lines(panel._tabs._table) == []
