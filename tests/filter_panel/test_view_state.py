"""A view is checked as a whole before it opens, wherever it comes from."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.filter_panel.image_groups import TITLES as GROUPS
from fastlaunch_nb.filter_panel.tabs import TITLES
from fastlaunch_nb.filter_panel.view_state import MAX_LENGTH, Arrangement, View, read_link_view
from tests.helpers.panel_widgets import make_images
from tests.helpers.selections import selections

PLAIN = View(fl.Filters(), Arrangement(("state",), "state"), "Table")
ARRANGEMENTS = st.builds(
    Arrangement,
    st.lists(st.text(), unique=True).map(tuple),
    st.text(),
    st.booleans(),
    st.sampled_from(["", *GROUPS]),
)
VIEWS = st.builds(View, selections(), ARRANGEMENTS, st.sampled_from(TITLES))


@given(VIEWS)
def test_a_view_survives_json(view: View) -> None:
    """A view is the same after JSON, as text and as a dict."""
    data = view.to_dict()
    assert PLAIN.change(json.dumps(data), TITLES) == view
    assert PLAIN.change(json.loads(json.dumps(data)), TITLES) == view


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(["version", "filters", "sort", "columns", "group", "tab", "other"])


def parse(data: Any) -> View | None:
    """Return data as a view; None if it is refused."""
    try:
        return PLAIN.change(json.dumps(data), TITLES)
    except fl.InputError:
        return None


@given(JSON | st.dictionaries(KEYS, JSON))
def test_any_data_is_a_view_or_refused(data: Any) -> None:
    """Any JSON is a view that can be shown again, or InputError refuses it."""
    view = parse(data)
    assert view is None or parse(view.to_dict()) == view


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        ("{", "This is not JSON"),
        ("[" * 100_000, "This is not JSON"),
        ("[]", "This is a list"),
        (" " * (MAX_LENGTH + 1), "more than 100,000 characters"),
        ({"filter": {}}, "This has 'filter'. Did you mean 'filters'?"),
        ({"version": 2}, "version 2; this release reads 1"),
        ({"filters": {"stat": ["enabled"]}}, "Did you mean 'state'?"),
        ({"filters": {"state": [1]}}, "Expected text"),
        ({"filters": {"text": {1}}}, "Its filters are not JSON"),
        ({"sort": ["state"]}, "Its sort is"),
        ({"sort": ["state", "up"]}, "Its sort is"),
        ({"columns": "state"}, "not a list of names"),
        ({"tab": "table"}, "not one of 'Table', 'Timeline'"),
    ],
)
def test_a_bad_view_is_refused_and_nothing_changes(view: Any, problem: str) -> None:
    """A bad view raises InputError with the problem; the panel stays as it was."""
    panel = fl.panel(make_images(3), filters=fl.Filters(state="enabled"))
    before = panel.view
    with pytest.raises(fl.InputError) as caught:
        panel.view = view
    assert problem in str(caught.value)
    assert panel.view == before


def test_a_view_moves_the_panel(images: pd.DataFrame) -> None:
    """A view sets filters, sort, columns and tab; what it leaves out stays."""
    panel = fl.panel(images)
    columns = ["image_id", "state"]
    panel.view = {
        "filters": {"state": ["enabled"], "target_resource_count": [2, None]},
        "sort": ["image_id", "descending"],
        "columns": columns,
        "tab": "Code",
    }
    assert panel.filters == fl.Filters(state="enabled", target_resource_count=(2, None))
    assert panel.view["columns"] == columns
    assert panel._tabs.selected_index == TITLES.index("Code")
    panel.view = '{"tab": "Table"}'
    assert panel.view["sort"] == ["image_id", "descending"]
    assert panel.filters == fl.Filters(state="enabled", target_resource_count=(2, None))


def test_columns_of_another_panel_are_left_out(images: pd.DataFrame) -> None:
    """A view may have columns that these images lack: it opens without, and a warning says so."""
    panel = fl.panel(images)
    with pytest.warns(fl.FastLaunchWarning, match=r"'stat', 'kms_key_id'\. Did you mean 'state'"):
        panel.view = {"columns": ["stat", "state"], "sort": ["kms_key_id", "ascending"]}
    assert panel.view["sort"] == ["", "ascending"]


def test_filters_on_columns_that_are_not_here_are_refused(images: pd.DataFrame) -> None:
    """A view with a range of a join that the images lack changes nothing."""
    panel = fl.panel(images)
    with pytest.raises(fl.InputError, match=r"The join 'metrics' of fl\.enrich adds it"):
        panel.view = {"filters": {"available_snapshots": [1, 2]}, "tab": "Code"}
    assert panel.view["tab"] == "Table"


# --- links ----------------------------------------------------------------------------

LINK = "view=%7B%22filters%22%3A%7B%22text%22%3A%22a%20%26%20b%22%7D%7D"


@pytest.fixture
def on_a_page(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a kernel of Voila."""
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    return monkeypatch


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"token=x&{LINK}", '{"filters":{"text":"a & b"}}'),
        ("token=x", None),
        ("view=", None),
        ("&".join(f"a{n}=1" for n in range(1000)), None),
        ("view=%ff%00", "\ufffd\x00"),
    ],
)
def test_a_link_has_a_view(on_a_page: pytest.MonkeyPatch, query: str, expected: str | None) -> None:
    """The parameter `view` of the address of a page of Voila is the view; other pages have none."""
    on_a_page.setenv("QUERY_STRING", query)
    assert read_link_view() == expected
    on_a_page.setenv("SERVER_SOFTWARE", "nginx")
    assert read_link_view() is None


def test_a_panel_opens_the_view_of_its_page(
    on_a_page: pytest.MonkeyPatch, images: pd.DataFrame
) -> None:
    """A new panel begins with the view of a link."""
    on_a_page.setenv("QUERY_STRING", LINK)
    assert fl.panel(images).filters == fl.Filters(text="a & b")


def test_a_bad_link_is_one_sentence(on_a_page: pytest.MonkeyPatch, images: pd.DataFrame) -> None:
    """The panel of a bad link opens without a view, and says so; markup in a link is text."""
    on_a_page.setenv("QUERY_STRING", 'view={"<img src=x>": 1}')
    panel = fl.panel(images, filters=fl.Filters(state="enabled"))
    assert panel.filters == fl.Filters(state="enabled")
    assert "has no view that can be opened here" in panel.children[0].value
    assert "&lt;img" in panel.children[0].value
    assert "<img" not in panel.children[0].value
