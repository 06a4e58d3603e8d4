"""The panel on a screen: JupyterLab, Notebook and Voila, by mouse, by keys, dark and narrow.

Every test begins with a panel that is new, on a page that all tests of a host share.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

import fastlaunch_nb as fl
from tests.helpers.browser import PLOT, axe
from tests.helpers.cases import some
from tests.helpers.panel_screen import (
    HOSTS,
    NEW,
    TABS,
    Host,
    Screen,
    dark,
    fleet,
    hosted,
    key_of,
    named,
    prepared,
)

IN_NOTEBOOK_TOO = {
    "test_facets_count_and_keep",
    "test_headings_sort_by_mouse_and_keys",
    "test_a_row_selects_and_its_bar_is_marked",
    "test_keys_alone_are_enough",
}
NONE = re.compile(r"\bfl-none\b")
BAND = ".shapelayer path"
CODE = {  # what the code for each begins with
    "fastlaunch_nb": "import fastlaunch_nb as fl",
    "boto3": "import boto3",
    "AWS CLI": "aws ec2 describe-fast-launch-images",
    "pandas": "chosen = images[",
}
COPIED = "async text => (await navigator.clipboard.readText()).trim() === text.trim()"
AT_ONCE = """
    (plot, [first, second]) => {
        const tell = (type, [clientX, clientY]) =>
            document.elementFromPoint(clientX, clientY).dispatchEvent(
                new MouseEvent(type, { clientX, clientY, bubbles: true, view: window }));
        tell("mousemove", first);
        for (const type of ["mousemove", "mousedown", "mouseup"]) tell(type, second);
    }
"""


@pytest.fixture(scope="module")
def images() -> pd.DataFrame:
    """The images of all panels here."""
    return fleet()


@pytest.fixture(scope="module")
def told(images: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What all panels here are of: images, intervals of two looks at them, and findings."""
    earlier = images.assign(
        observed_at=images["observed_at"] - pd.Timedelta(days=9),
        state="enabling",
        state_transition_time=images["state_transition_time"] - pd.Timedelta(days=20),
    )
    intervals = fl.intervals(pd.concat([earlier, images], ignore_index=True))
    findings = fl.findings(images, intervals=intervals)
    return {"images": images, "intervals": intervals, "findings": findings}


@pytest.fixture(scope="module")
def home(told: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose folder lab has a notebook that shows panels, and what they are of."""
    return prepared(tmp_path_factory.mktemp("home"), told)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test in each host; `make test` has all of JupyterLab's, and four of Notebook's."""
    if "host" in metafunc.fixturenames:
        quick = {"lab", "notebook"} if metafunc.definition.name in IN_NOTEBOOK_TOO else {"lab"}
        hosts = [
            pytest.param(name, marks=() if name in quick else pytest.mark.deep) for name in HOSTS
        ]
        metafunc.parametrize("host", hosts, indirect=True, scope="module")


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest, home: Path, browser: Browser) -> Iterator[Host]:
    """A host, with the notebook run in it."""
    with hosted(request.param, home, browser) as running:
        yield running


@pytest.fixture
def screen(host: Host) -> Screen:
    """A new panel, in a page of 1280 pixels."""
    return Screen(host.page)


# --- what is kept ---------------------------------------------------------------------


def test_facets_count_and_keep(screen: Screen, images: pd.DataFrame) -> None:
    """A tick keeps the value's rows; other facets count them, and a value with none stays, pale."""
    screen.box("State", "disabling-failed").check()
    kept = images[images["state"] == "disabling-failed"]
    expect(screen.summary).to_contain_text(f"{len(kept)} of 60 images")
    expect(screen.rows).to_have_count(len(kept))
    assert set(screen.names()) == set(named(kept))
    for region, rows in some(kept["region"].value_counts().items()):
        expect(screen.value("Region", str(region))).to_have_text(f"{region} ({rows})")
    expect(screen.value("State", "enabled")).to_contain_text("(33)")  # but for its own facet
    nothing = screen.value("Launch template", "runner-1")
    expect(nothing).to_contain_text("(0)")
    expect(nothing).to_have_class(NONE)
    expect(screen.value("State", "enabled")).not_to_have_class(NONE)
    screen.box("State", "enabling-failed").check()
    expect(screen.summary).to_contain_text("16 of 60 images")


def test_a_long_facet_is_searched(screen: Screen) -> None:
    """Words find a value that did not fit; what is hostile in it is but text, and can be ticked."""
    facet = screen.facet("Launch template")
    expect(facet.get_by_role("checkbox")).to_have_count(8)
    find = facet.locator(".fl-find input")
    find.fill("RUNNER-9")
    expect(facet.get_by_role("checkbox")).to_have_count(1)
    find.fill("onerror")
    expect(facet.locator(".fl-values")).to_contain_text("<img src=x onerror=alert(1)>")
    facet.get_by_role("checkbox").check()
    expect(screen.summary).to_contain_text("1 of 60 images")
    expect(screen.chips).to_contain_text(["<img src=x onerror=alert(1)>"])
    expect(screen.rows).to_contain_text(["<img src=x onerror=alert(1)>"])
    assert screen.panel.locator("img, script, mjx-container").count() == 0
    find.fill("")
    expect(facet.get_by_role("checkbox").first).to_be_checked()  # on top, so that it can be undone


def test_chips_take_away_what_they_say(screen: Screen) -> None:
    """Each part of the selection is a chip that takes it away; Reset takes all of them."""
    screen.box("State", "enabling-failed").check()
    screen.box("Region", "us-east-1").check()
    screen.search.fill("windows")
    expect(screen.chips).to_have_count(3)
    region = screen.chips.filter(has_text="Region: us-east-1")
    region.click()
    expect(screen.chips).to_have_count(2)
    expect(screen.box("Region", "us-east-1")).not_to_be_checked()
    expect(screen.summary).to_contain_text("11 of 60 images")
    chosen = {"state": ["enabling-failed"], "text": "windows"}
    screen.in_the_kernel(filters=chosen, selected=[])
    screen.reset.click()
    expect(screen.chips).to_have_count(0)
    expect(screen.summary).to_contain_text("60 of 60 images")
    expect(screen.search).to_have_value("")
    expect(screen.panel.locator(".fl-facet input:checked")).to_have_count(0)


def test_a_range_by_keys(screen: Screen, images: pd.DataFrame) -> None:
    """Arrows move either end of a range; rows follow, and the thumb says in words where it is."""
    low = screen.panel.get_by_role("slider", name="Target snapshots, from")
    high = screen.panel.get_by_role("slider", name="Target snapshots, to")
    for _ in range(3):
        low.press("ArrowRight")
    high.press("ArrowLeft")
    kept = images[images["target_resource_count"].between(4, 11)]
    expect(screen.summary).to_contain_text(f"{len(kept)} of 60 images")
    expect(low).to_have_attribute("aria-valuetext", "4")
    expect(high).to_have_attribute("aria-valuetext", "11")
    expect(screen.chips).to_contain_text(["Target snapshots: 4 to 11"])
    low.press("Home")
    high.press("End")
    expect(screen.summary).to_contain_text("60 of 60 images")


# --- the views ------------------------------------------------------------------------


def test_sorting_and_paging_reach_all_rows(screen: Screen, images: pd.DataFrame) -> None:
    """The table is sorted over all rows, not over its page, and pages follow in that order."""
    screen.table.get_by_label("Sort by").select_option("Target")
    screen.table.get_by_role("button", name="Descending").click()
    order = images.sort_values("target_resource_count", ascending=False, kind="stable")
    size = screen.size()
    expect(screen.rows.first).to_contain_text(named(order)[0])
    assert screen.names() == named(order)[:size]
    screen.pager.get_by_role("button", name="Next").click()
    expect(screen.pager).to_contain_text(f"{size + 1}–{2 * size} of 60")
    expect(screen.rows.first).to_contain_text(named(order)[size])
    assert screen.names() == named(order)[size : 2 * size]


def test_headings_sort_by_mouse_and_keys(screen: Screen, images: pd.DataFrame) -> None:
    """A heading sorts all rows, and the other way when it is pressed again, by Enter too."""
    screen.box("Region", "us-east-1").check()
    kept = images[images["region"] == "us-east-1"]
    heading = screen.table.locator("th").get_by_role("button", name="Target")
    heading.click()
    for ascending, way in ((True, "ascending"), (False, "descending")):
        expect(heading).to_have_accessible_name(f"Target sorted {way}")
        order = kept.sort_values("target_resource_count", ascending=ascending, kind="stable")
        assert screen.names() == named(order)[: screen.size()]
        expect(heading).to_be_focused()
        screen.page.keyboard.press("Enter")
    expect(heading).to_have_accessible_name("Target sorted ascending")


@pytest.mark.parametrize("chart", ["Timeline", "Capacity"])
def test_a_bar_selects_and_a_row_is_marked(
    screen: Screen, images: pd.DataFrame, chart: str
) -> None:
    """A click on a bar selects its image, in the kernel and the table; with Ctrl, one more."""
    screen.box("Region", "us-east-1").check()
    screen.open(chart)
    expect(screen.plot.locator(".ytick text")).to_have_count(20)
    first, second = named(images[images["region"] == "us-east-1"])[4:6]
    screen.bar(first).click(force=True)  # plotly hears clicks on a layer above
    expect(screen.summary).to_contain_text("1 selected")
    screen.bar(second).click(force=True, modifiers=["Control"])
    expect(screen.summary).to_contain_text("2 selected")
    keys = [key_of(images, name) for name in (first, second)]
    screen.in_the_kernel(filters={"region": ["us-east-1"]}, selected=keys)
    screen.open("Table")
    screen.search.fill(first)
    expect(screen.rows).to_have_count(1)
    expect(screen.chosen).to_contain_text(first)


def test_a_click_is_where_the_pointer_is(screen: Screen, images: pd.DataFrame) -> None:
    """A click that follows a move at once selects the row it is in, not the one before."""
    screen.box("Region", "us-east-1").check()
    screen.open("Capacity")
    expect(screen.plot.locator(".ytick text")).to_have_count(20)
    first, second = named(images[images["region"] == "us-east-1"])[4:6]
    boxes = [screen.bar(name).bounding_box() for name in (first, second)]
    places = [[box["x"] + 3, box["y"] + box["height"] / 2] for box in boxes if box]
    screen.plot.evaluate(AT_ONCE, places)
    expect(screen.summary).to_contain_text("1 selected")
    screen.in_the_kernel(filters={"region": ["us-east-1"]}, selected=[key_of(images, second)])


def test_a_chosen_finding_is_shown_whole(screen: Screen) -> None:
    """What to do is cut to two lines, so that rows stay short; but of a row that is chosen."""
    screen.open_drawn("Findings")
    row = screen.panel.locator("table.dataTable:visible tbody tr").first
    hidden = "part => part.scrollHeight - part.clientHeight"
    assert row.locator(".fl-cut").evaluate(hidden) > 0
    row.click()
    expect(row).to_have_class(re.compile(r"\bselected\b"))
    assert row.locator(".fl-cut").evaluate(hidden) == 0


def test_plotly_is_run_once_a_page(screen: Screen) -> None:
    """Panels share one plotly.js: the page has run one, and a panel more draws with it."""
    screen.open_drawn("Capacity")
    page = screen.page
    ran = "Object.entries(globalThis).filter(([name]) => name.startsWith('fastlaunchPlotly'))"
    page.evaluate(f"async () => {{ globalThis.before = await {ran}[0][1]; }}")
    Screen(page).open_drawn("Timeline")
    assert page.evaluate(f"async () => (await {ran}[0][1]) === before && {ran}.length") == 1


def test_the_strip_above_the_rows_is_no_row(screen: Screen, images: pd.DataFrame) -> None:
    """A click on the strip, which is of all images, selects none; one on a bar does, at once."""
    screen.open_drawn("Timeline")
    strip = screen.plot.locator(".draglayer .xy2 .nsewdrag").bounding_box()
    assert strip
    middle = (strip["x"] + strip["width"] / 2, strip["y"] + strip["height"] / 2)
    screen.page.mouse.click(*middle)
    name = named(images[images["region"] == "us-east-1"])[4]
    screen.bar(name).click(force=True, modifiers=["Control"])
    expect(screen.summary).to_contain_text("1 selected")
    screen.in_the_kernel(filters={}, selected=[key_of(images, name)])


def test_a_row_selects_and_its_bar_is_marked(screen: Screen) -> None:
    """A click on a row selects its image: the chart marks it; sorted or filtered, it stays so."""
    name = screen.names()[2]
    screen.rows.nth(2).click()
    expect(screen.summary).to_contain_text("1 selected")
    expect(screen.chosen).to_contain_text(name)
    screen.open("Timeline")
    expect(screen.plot.locator(BAND)).to_have_count(1)
    screen.open("Table")
    screen.table.get_by_label("Sort by").select_option("Image")
    screen.search.fill(name)
    expect(screen.rows).to_have_count(1)
    expect(screen.chosen).to_contain_text(name)
    screen.search.fill("onerror")
    expect(screen.rows).to_contain_text(["<img"])
    expect(screen.chosen).to_have_count(0)
    expect(screen.summary).to_contain_text("1 selected")
    screen.search.fill(name)
    expect(screen.chosen).to_contain_text(name)
    screen.panel.get_by_role("button", name="Clear selection").click()
    expect(screen.chosen).to_have_count(0)
    screen.in_the_kernel(filters={"text": name}, selected=[])


def test_findings_follow(screen: Screen, told: dict[str, pd.DataFrame]) -> None:
    """The findings are those of the images that are kept."""
    screen.open("Findings")
    findings = told["findings"]
    pager = screen.panel.locator(".fl-pager:visible")
    expect(pager).to_contain_text(f"of {len(findings)}")
    screen.box("Region", "us-east-1").check()
    expect(pager).to_contain_text(f"of {(findings['region'] == 'us-east-1').sum()}")


def test_code_is_shown_and_copied(screen: Screen) -> None:
    """The selection as code of each kind; what is copied is what is shown."""
    screen.box("State", "enabling-failed").check()
    screen.open("Code")
    code = screen.panel.locator("pre.fl-code")
    for kind, begins in CODE.items():
        screen.panel.get_by_label("Code for").select_option(kind)
        expect(code).to_contain_text(begins)
        expect(code).to_contain_text("enabling-failed")
        screen.panel.get_by_role("button", name=re.compile("Copy|Copied")).click()
        screen.page.wait_for_function(COPIED, arg=code.inner_text())
        expect(screen.panel.get_by_role("button", name="Copied", exact=True)).to_be_visible()


def test_csv_has_all_rows(screen: Screen, images: pd.DataFrame, tmp_path: Path) -> None:
    """The file has all rows that are kept, not a page of them, in the order of the table."""
    screen.box("State", "enabled").check()
    expect(screen.summary).to_contain_text("33 of 60 images")
    with screen.page.expect_download() as saved:
        screen.panel.get_by_role("button", name="CSV").click()
    saved.value.save_as(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = images[images["state"] == "enabled"]
    assert [row["image_id"] for row in rows] == kept["image_id"].tolist()
    assert {row["state"] for row in rows} == {"enabled"}


# --- for everyone ---------------------------------------------------------------------


def test_keys_alone_are_enough(screen: Screen) -> None:
    """From the search to a ticked facet, a chosen row and the file, by keys; focus is seen."""
    screen.search.focus()
    screen.tab_to(screen.box("State", "enabling-failed"))
    screen.page.keyboard.press("Space")
    expect(screen.summary).to_contain_text("11 of 60 images")
    screen.tab_to(screen.panel.get_by_role("button", name="CSV"))
    with screen.page.expect_download():
        screen.page.keyboard.press("Enter")
    expect(screen.panel.get_by_role("button", name="Saved")).to_be_focused()
    screen.tab_to(screen.table.locator("tbody :focus, tbody:focus"))
    for key in ("ArrowDown", "ArrowDown", "Space"):
        screen.page.keyboard.press(key)
    expect(screen.summary).to_contain_text("1 selected")
    expect(screen.chosen).to_contain_text(screen.names()[2])


def test_axe_finds_nothing_serious(screen: Screen) -> None:
    """axe-core finds nothing serious in any tab, in light."""
    screen.box("State", "enabling-failed").check()
    for title in TABS:
        screen.open_drawn(title)
        assert axe(screen.page, NEW) == [], title


def test_axe_finds_nothing_serious_in_the_dark(host: Host, browser: Browser) -> None:
    """Nor in a dark theme, where all the panel's own text stands out from what is behind it."""
    with dark(host, browser) as page:
        screen = Screen(page)
        screen.box("State", "enabling-failed").check()
        for title in TABS:
            screen.open_drawn(title)
            assert axe(page, NEW) == [], title


def test_narrow(screen: Screen) -> None:
    """At 600 pixels nothing reaches out of the panel, in any tab, and facets can be ticked."""
    screen.page.set_viewport_size({"width": 600, "height": 1000})
    for title in TABS:
        screen.open_drawn(title)
        assert (
            screen.panel.evaluate(
                """panel => [panel, ...panel.querySelectorAll(".fl-body, .fl-views, .fl-views > *")]
                .filter(part => part.scrollWidth > part.clientWidth + 1
                    || part.getBoundingClientRect().right > innerWidth)
                .map(part => part.className)"""
            )
            == []
        ), title
    screen.box("Region", "us-east-1").check()
    expect(screen.summary).to_contain_text("20 of 60 images")


def test_the_first_column_stays_in_sight(screen: Screen) -> None:
    """However far a wide table is scrolled, its rows can be told apart, over what is behind."""
    screen.page.set_viewport_size({"width": 600, "height": 1000})
    cell = screen.rows.first.locator("td").first
    before = cell.bounding_box()
    wide = screen.table.locator(".dt-layout-table > *")
    assert wide.evaluate("wide => (wide.scrollLeft = 200, wide.scrollLeft)") == 200
    assert cell.bounding_box() == before
    ground = cell.evaluate("cell => getComputedStyle(cell).backgroundColor")
    assert ground.startswith("rgb(")  # neither transparent nor thinned


def test_charts_have_the_colour_of_the_page(screen: Screen) -> None:
    """Text of a chart is as dark, or as light, as that of the panel around it."""
    for chart in ("Timeline", "Capacity"):
        screen.open_drawn(chart)
        colours = screen.panel.locator(f"{PLOT}:visible").evaluate(
            """plot => [getComputedStyle(plot).color,
                ...[...plot.querySelectorAll(".ytick text, .gtitle")].map(
                    text => getComputedStyle(text).fill)]"""
        )
        assert len(colours) > 10, chart
        assert set(colours) == {colours[0]}, chart
