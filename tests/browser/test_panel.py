"""The panel on a screen: JupyterLab, Notebook and Voila, by mouse and keys, dark and narrow.

Each test begins with a new panel, on a page that all tests of a host share.
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
from tests.helpers.browser import PLOT, find_violations
from tests.helpers.cases import some
from tests.helpers.panel_screen import (
    HOSTS,
    NEW,
    TABS,
    Host,
    Screen,
    get_key,
    get_names,
    make_fleet,
    open_dark_page,
    open_host,
    write_notebook,
)

IN_NOTEBOOK_TOO = {
    "test_headings_sort_by_mouse_and_keys",
    "test_a_row_selects_and_its_bar_is_marked",
}
NO_ROWS = re.compile(r"\bfl-none\b")
BAND = ".shapelayer path"
CODE = {  # the beginning of the code of each kind
    "fastlaunch_nb": "import fastlaunch_nb as fl",
    "boto3": "import boto3",
    "AWS CLI": "aws ec2 describe-fast-launch-images",
    "PowerShell (AWS.Tools.EC2)": "Get-EC2FastLaunchImage",
    "pandas": "chosen = images[",
    "SQL (DuckDB, for a history)": "SELECT DISTINCT ON",
}
IS_COPIED = "async text => (await navigator.clipboard.readText()).trim() === text.trim()"
MOVE_AND_CLICK = """
    (plot, [first, second]) => {
        const dispatch = (type, [clientX, clientY]) =>
            document.elementFromPoint(clientX, clientY).dispatchEvent(
                new MouseEvent(type, { clientX, clientY, bubbles: true, view: window }));
        dispatch("mousemove", first);
        for (const type of ["mousemove", "mousedown", "mouseup"]) dispatch(type, second);
    }
"""


@pytest.fixture(scope="module")
def images() -> pd.DataFrame:
    """The images of all panels here."""
    return make_fleet()


@pytest.fixture(scope="module")
def data(images: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The data of all panels here: images, intervals of two scans, and findings."""
    earlier = images.assign(
        observed_at=images["observed_at"] - pd.Timedelta(days=9),
        state="enabling",
        state_transition_time=images["state_transition_time"] - pd.Timedelta(days=20),
    )
    intervals = fl.intervals(pd.concat([earlier, images], ignore_index=True))
    findings = fl.findings(images, intervals=intervals)
    return {"images": images, "intervals": intervals, "findings": findings}


@pytest.fixture(scope="module")
def root(data: dict[str, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a notebook that shows panels, and their data."""
    root = tmp_path_factory.mktemp("root")
    write_notebook(root, data)
    return root


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test in each host; all but JupyterLab, and two tests in Notebook, are deep."""
    if "host" in metafunc.fixturenames:
        quick = {"lab", "notebook"} if metafunc.definition.name in IN_NOTEBOOK_TOO else {"lab"}
        hosts = [
            pytest.param(name, marks=() if name in quick else pytest.mark.deep) for name in HOSTS
        ]
        metafunc.parametrize("host", hosts, indirect=True, scope="module")


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest, root: Path, browser: Browser) -> Iterator[Host]:
    """A host that has run the notebook."""
    with open_host(request.param, root, browser) as running:
        yield running


@pytest.fixture
def screen(host: Host) -> Screen:
    """A new panel, on a page 1280 pixels wide."""
    return Screen(host.page)


# --- filters --------------------------------------------------------------------------


def test_facets_filter_and_count(screen: Screen, images: pd.DataFrame) -> None:
    """A tick filters; other facets count the rows that match, and a value without any is pale."""
    screen.find_box("State", "disabling-failed").check()
    matching = images[images["state"] == "disabling-failed"]
    expect(screen.summary).to_contain_text(f"{len(matching)} of 60 images")
    expect(screen.rows).to_have_count(len(matching))
    assert set(screen.read_names()) == set(get_names(matching))
    for region, rows in some(matching["region"].value_counts().items()):
        expect(screen.find_value("Region", str(region))).to_have_text(f"{region} ({rows})")
    # A facet's own ticks do not change its counts.
    expect(screen.find_value("State", "enabled")).to_contain_text("(33)")
    template = screen.find_value("Launch template", "runner-1")
    expect(template).to_contain_text("(0)")
    expect(template).to_have_class(NO_ROWS)
    expect(screen.find_value("State", "enabled")).not_to_have_class(NO_ROWS)
    screen.find_box("State", "enabling-failed").check()
    expect(screen.summary).to_contain_text("16 of 60 images")


def test_a_long_facet_has_a_search(screen: Screen) -> None:
    """A search finds a value that does not fit; hostile text in it is only text."""
    facet = screen.find_facet("Launch template")
    expect(facet.get_by_role("checkbox")).to_have_count(8)
    search = facet.locator(".fl-find input")
    search.fill("RUNNER-9")
    expect(facet.get_by_role("checkbox")).to_have_count(1)
    search.fill("onerror")
    expect(facet.locator(".fl-values")).to_contain_text("<img src=x onerror=alert(1)>")
    facet.get_by_role("checkbox").check()
    expect(screen.summary).to_contain_text("1 of 60 images")
    expect(screen.chips).to_contain_text(["<img src=x onerror=alert(1)>"])
    expect(screen.rows).to_contain_text(["<img src=x onerror=alert(1)>"])
    assert screen.panel.locator("img, script, mjx-container").count() == 0
    search.fill("")
    # The ticked value comes first, so that the user can untick it.
    expect(facet.get_by_role("checkbox").first).to_be_checked()


def test_chips_remove_filters(screen: Screen) -> None:
    """A chip removes its part of the selection; Reset removes all of them."""
    screen.find_box("State", "enabling-failed").check()
    screen.find_box("Region", "us-east-1").check()
    screen.search.fill("windows")
    expect(screen.chips).to_have_count(3)
    region = screen.chips.filter(has_text="Region: us-east-1")
    region.click()
    expect(screen.chips).to_have_count(2)
    expect(screen.find_box("Region", "us-east-1")).not_to_be_checked()
    expect(screen.summary).to_contain_text("11 of 60 images")
    filters = {"state": ["enabling-failed"], "text": "windows"}
    screen.expect_in_kernel(filters=filters, selected=[])
    screen.reset.click()
    expect(screen.chips).to_have_count(0)
    expect(screen.summary).to_contain_text("60 of 60 images")
    expect(screen.search).to_have_value("")
    expect(screen.panel.locator(".fl-facet input:checked")).to_have_count(0)


def test_keys_move_a_range(screen: Screen, images: pd.DataFrame) -> None:
    """Arrow keys move either end of a range; the rows follow, and thumbs have values as text."""
    low = screen.panel.get_by_role("slider", name="Target snapshots, from")
    high = screen.panel.get_by_role("slider", name="Target snapshots, to")
    for _ in range(3):
        low.press("ArrowRight")
    high.press("ArrowLeft")
    matching = images[images["target_resource_count"].between(4, 11)]
    expect(screen.summary).to_contain_text(f"{len(matching)} of 60 images")
    expect(low).to_have_attribute("aria-valuetext", "4")
    expect(high).to_have_attribute("aria-valuetext", "11")
    expect(screen.chips).to_contain_text(["Target snapshots: 4 to 11"])
    low.press("Home")
    high.press("End")
    expect(screen.summary).to_contain_text("60 of 60 images")


# --- the tabs -------------------------------------------------------------------------


def test_sorting_and_paging_reach_all_rows(screen: Screen, images: pd.DataFrame) -> None:
    """The table sorts all rows, not one page, and the pages follow in that order."""
    screen.sort_by("Target", descending=True)
    order = images.sort_values("target_resource_count", ascending=False, kind="stable")
    size = screen.get_page_size()
    expect(screen.rows.first).to_contain_text(get_names(order)[0])
    assert screen.read_names() == get_names(order)[:size]
    screen.pager.get_by_role("button", name="Next").click()
    expect(screen.pager).to_contain_text(f"{size + 1}–{2 * size} of 60")
    expect(screen.rows.first).to_contain_text(get_names(order)[size])
    assert screen.read_names() == get_names(order)[size : 2 * size]


def test_headings_sort_by_mouse_and_keys(screen: Screen, images: pd.DataFrame) -> None:
    """A heading sorts all rows, and a second click or Enter reverses the order."""
    screen.find_box("Region", "us-east-1").check()
    matching = images[images["region"] == "us-east-1"]
    heading = screen.table.locator("th").get_by_role("button", name="Target")
    heading.click()
    for ascending, name in ((True, "ascending"), (False, "descending")):
        expect(heading).to_have_accessible_name(f"Target sorted {name}")
        order = matching.sort_values("target_resource_count", ascending=ascending, kind="stable")
        assert screen.read_names() == get_names(order)[: screen.get_page_size()]
        expect(heading).to_be_focused()
        screen.page.keyboard.press("Enter")
    expect(heading).to_have_accessible_name("Target sorted ascending")


@pytest.mark.parametrize("chart", ["Timeline", "Capacity"])
def test_a_bar_selects_and_a_row_is_marked(
    screen: Screen, images: pd.DataFrame, chart: str
) -> None:
    """A click on a bar selects its image in the kernel and the table; with Ctrl, one more."""
    screen.find_box("Region", "us-east-1").check()
    screen.open_tab(chart)
    expect(screen.plot.locator(".ytick text")).to_have_count(20)
    first, second = get_names(images[images["region"] == "us-east-1"])[4:6]
    screen.find_bar(first).click(force=True)  # plotly gets clicks on a layer above
    expect(screen.summary).to_contain_text("1 selected")
    screen.find_bar(second).click(force=True, modifiers=["Control"])
    expect(screen.summary).to_contain_text("2 selected")
    keys = [get_key(images, name) for name in (first, second)]
    screen.expect_in_kernel(filters={"region": ["us-east-1"]}, selected=keys)
    screen.open_tab("Table")
    screen.search.fill(first)
    expect(screen.rows).to_have_count(1)
    expect(screen.selected_rows).to_contain_text(first)


def test_a_click_selects_the_row_under_the_pointer(screen: Screen, images: pd.DataFrame) -> None:
    """A click right after a move selects the row under the pointer, not the row before it."""
    screen.find_box("Region", "us-east-1").check()
    screen.open_tab("Capacity")
    expect(screen.plot.locator(".ytick text")).to_have_count(20)
    first, second = get_names(images[images["region"] == "us-east-1"])[4:6]
    boxes = [screen.find_bar(name).bounding_box() for name in (first, second)]
    points = [[box["x"] + 3, box["y"] + box["height"] / 2] for box in boxes if box]
    screen.plot.evaluate(MOVE_AND_CLICK, points)
    expect(screen.summary).to_contain_text("1 selected")
    screen.expect_in_kernel(filters={"region": ["us-east-1"]}, selected=[get_key(images, second)])


def test_a_selected_finding_shows_its_command(screen: Screen, images: pd.DataFrame) -> None:
    """A click anywhere in a row selects its image, and shows and copies the command for it."""
    screen.open_drawn_tab("Findings")
    row = screen.panel.locator(".fl-group-rows tbody tr").nth(1)
    name = row.get_by_role("button").inner_text()
    row.locator("td").nth(2).click()
    expect(row.get_by_role("button", pressed=True)).to_have_text(name)
    screen.expect_in_kernel(filters={}, selected=[get_key(images, name)])
    command = screen.panel.get_by_role("region", name=f"Command for {name}", exact=True)
    expect(command).to_contain_text(get_key(images, name)[2])
    screen.panel.get_by_role("button", name="Copy command", exact=True).click()
    screen.page.wait_for_function(IS_COPIED, arg=command.inner_text())


def test_findings_open_by_keyboard(screen: Screen) -> None:
    """Enter opens a rule and closes it again: its line keeps the focus, as the kernel draws it."""
    screen.open_drawn_tab("Findings")
    rows = screen.panel.locator(".fl-group-rows:visible")
    head = screen.panel.locator(".fl-group-head").last
    before = rows.count()
    head.focus()
    for expanded, tables in (("true", before + 1), ("false", before)):
        screen.page.keyboard.press("Enter")
        expect(head).to_have_attribute("aria-expanded", expanded)
        expect(rows).to_have_count(tables)
        expect(head).to_be_focused()


def test_findings_fit_a_narrow_panel(screen: Screen) -> None:
    """At 600 pixels no line is blank and none is cut: nothing is wider than the panel."""
    screen.open_drawn_tab("Findings")
    screen.page.set_viewport_size({"width": 600, "height": 1000})
    cells = screen.panel.locator(".fl-group-head > *, .fl-group-rows td, .fl-advice, .fl-command")
    right = screen.panel.evaluate("panel => panel.getBoundingClientRect().right")
    boxes = [box for box in (cell.bounding_box() for cell in cells.all()) if box]
    assert max(box["x"] + box["width"] for box in boxes) <= right
    heads = screen.panel.locator(".fl-group-head .fl-what")
    assert all(text.strip() for text in some(heads.all_inner_texts()))


def test_each_page_runs_plotly_once(screen: Screen) -> None:
    """All panels on a page share one plotly.js."""
    screen.open_drawn_tab("Capacity")
    page = screen.page
    libraries = "Object.entries(globalThis).filter(([name]) => name.startsWith('fastlaunchPlotly'))"
    page.evaluate(f"async () => {{ globalThis.before = await {libraries}[0][1]; }}")
    Screen(page).open_drawn_tab("Timeline")
    is_same = f"(await {libraries}[0][1]) === before"
    assert page.evaluate(f"async () => {is_same} && {libraries}.length") == 1


def test_the_strip_above_the_rows_selects_nothing(screen: Screen, images: pd.DataFrame) -> None:
    """A click on the strip above the rows selects nothing; one on a bar right after it does."""
    screen.open_drawn_tab("Timeline")
    strip = screen.plot.locator(".draglayer .xy2 .nsewdrag").bounding_box()
    assert strip
    middle = (strip["x"] + strip["width"] / 2, strip["y"] + strip["height"] / 2)
    screen.page.mouse.click(*middle)
    name = get_names(images[images["region"] == "us-east-1"])[4]
    screen.find_bar(name).click(force=True, modifiers=["Control"])
    expect(screen.summary).to_contain_text("1 selected")
    screen.expect_in_kernel(filters={}, selected=[get_key(images, name)])


def test_a_row_selects_and_its_bar_is_marked(screen: Screen) -> None:
    """A click on a row selects its image: charts mark it, and sorting and filtering keep it."""
    name = screen.read_names()[2]
    screen.rows.nth(2).click()
    expect(screen.summary).to_contain_text("1 selected")
    expect(screen.selected_rows).to_contain_text(name)
    screen.open_tab("Timeline")
    expect(screen.plot.locator(BAND)).to_have_count(1)
    screen.open_tab("Table")
    screen.sort_by("Image")
    screen.search.fill(name)
    expect(screen.rows).to_have_count(1)
    expect(screen.selected_rows).to_contain_text(name)
    screen.search.fill("onerror")
    expect(screen.rows).to_contain_text(["<img"])
    expect(screen.selected_rows).to_have_count(0)
    expect(screen.summary).to_contain_text("1 selected")
    screen.search.fill(name)
    expect(screen.selected_rows).to_contain_text(name)
    screen.panel.get_by_role("button", name="Clear selection").click()
    expect(screen.selected_rows).to_have_count(0)
    screen.expect_in_kernel(filters={"text": name}, selected=[])


def test_findings_follow_the_filters(screen: Screen, data: dict[str, pd.DataFrame]) -> None:
    """The findings are those of the images that match."""
    screen.open_tab("Findings")
    findings = data["findings"]
    tab = screen.panel.get_by_role("tab", name="Findings")
    expect(tab).to_have_text(f"Findings ({len(findings)})")
    screen.find_box("Region", "us-east-1").check()
    rows = findings[findings["region"] == "us-east-1"]
    expect(tab).to_have_text(f"Findings ({len(rows)})")
    counts = rows["finding"].value_counts()
    heads = screen.panel.locator(".fl-group-head")
    expect(heads).to_have_count(len(counts))
    for rule, count in some(counts.items()):
        head = heads.filter(has=screen.page.get_by_text(str(rule), exact=True))
        expect(head.locator(".fl-size")).to_have_text(f"{count} image{'s' * (count > 1)}")


def test_code_of_each_kind_can_be_copied(screen: Screen) -> None:
    """The tab shows the selection as code of each kind, and copies the same text."""
    screen.find_box("State", "enabling-failed").check()
    screen.open_tab("Code")
    code = screen.panel.locator("pre.fl-code")
    for kind, beginning in CODE.items():
        screen.panel.get_by_label("in", exact=True).select_option(kind)
        expect(code).to_contain_text(beginning)
        expect(code).to_contain_text("enabling-failed")
        screen.panel.get_by_role("button", name=re.compile("Copy|Copied")).click()
        screen.page.wait_for_function(IS_COPIED, arg=code.inner_text())
        expect(screen.panel.get_by_role("button", name="Copied", exact=True)).to_be_visible()


def test_csv_has_all_rows(screen: Screen, images: pd.DataFrame, tmp_path: Path) -> None:
    """The file has all rows that match, not one page, in the order of the table: oldest first."""
    screen.find_box("State", "enabled").check()
    expect(screen.summary).to_contain_text("33 of 60 images")
    screen.table.get_by_role("button", name="Export").click()
    with screen.page.expect_download() as download:
        screen.panel.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    matching = images[images["state"] == "enabled"].sort_values("state_transition_time")
    assert [row["image_id"] for row in rows] == matching["image_id"].tolist()
    assert {row["state"] for row in rows} == {"enabled"}


# --- accessibility and layout ---------------------------------------------------------


def test_keys_alone_are_enough(screen: Screen) -> None:
    """Keys reach the search, a facet, the file and a row; the focus is always visible."""
    screen.search.focus()
    screen.tab_to(screen.find_box("State", "enabling-failed"))
    screen.page.keyboard.press("Space")
    expect(screen.summary).to_contain_text("11 of 60 images")
    expect(screen.pager).to_contain_text("1–10 of 11")  # the rows are there, too
    screen.tab_to(screen.table.locator("tbody :focus, tbody:focus"))
    for key in ("ArrowDown", "ArrowDown", "Space"):
        screen.page.keyboard.press(key)
    expect(screen.summary).to_contain_text("1 selected")
    expect(screen.selected_rows).to_contain_text(screen.read_names()[2])
    export = screen.table.get_by_role("button", name="Export")
    screen.tab_to(export)
    screen.page.keyboard.press("Enter")
    csv_button = screen.panel.locator(".fl-popover").get_by_role("button", name="CSV")
    expect(csv_button).to_be_visible()
    screen.tab_to(csv_button)
    with screen.page.expect_download():
        screen.page.keyboard.press("Enter")
    expect(screen.panel.get_by_role("button", name="Saved")).to_be_focused()
    screen.page.keyboard.press("Escape")
    expect(export).to_be_focused()
    expect(screen.panel.locator(".fl-popover")).to_have_count(0)


def test_axe_finds_nothing(screen: Screen) -> None:
    """axe-core finds nothing in any tab, in light."""
    screen.find_box("State", "enabling-failed").check()
    for title in TABS:
        screen.open_drawn_tab(title)
        assert find_violations(screen.page, NEW) == [], title


def test_axe_finds_nothing_in_the_dark(host: Host, browser: Browser) -> None:
    """axe-core finds nothing in a dark theme, where text contrasts with its background."""
    with open_dark_page(host, browser) as page:
        screen = Screen(page)
        screen.find_box("State", "enabling-failed").check()
        for title in TABS:
            screen.open_drawn_tab(title)
            assert find_violations(page, NEW) == [], title


def test_a_narrow_panel_fits(screen: Screen) -> None:
    """At 600 pixels nothing overflows the panel, in any tab, and facets still work."""
    screen.page.set_viewport_size({"width": 600, "height": 1000})
    for title in TABS:
        screen.open_drawn_tab(title)
        assert (
            screen.panel.evaluate(
                """panel => [panel, ...panel.querySelectorAll(".fl-body, .fl-views, .fl-views > *")]
                .filter(element => element.scrollWidth > element.clientWidth + 1
                    || element.getBoundingClientRect().right > innerWidth)
                .map(element => element.className)"""
            )
            == []
        ), title
    screen.panel.get_by_role("button", name="Filters").click()
    screen.find_box("Region", "us-east-1").check()
    expect(screen.summary).to_contain_text("20 of 60 images")
    expect(screen.panel.get_by_role("button", name="Filters (1)")).to_be_visible()


def test_the_first_column_stays_visible(screen: Screen) -> None:
    """A wide table scrolls, with a scrollbar, below its first column, which stays opaque."""
    screen.page.set_viewport_size({"width": 600, "height": 1000})
    cell = screen.rows.first.locator("td").first
    before = cell.bounding_box()
    wide = screen.table.locator(".dt-container")
    assert wide.evaluate("wide => (wide.scrollLeft = 200, wide.scrollLeft)") == 200
    bar = "wide => getComputedStyle(wide, '::-webkit-scrollbar').height"
    assert wide.evaluate(bar) == "10px"  # this browser shows no scrollbars; others have this one
    assert cell.bounding_box() == before
    background = cell.evaluate("cell => getComputedStyle(cell).backgroundColor")
    assert background.startswith("rgb(")  # neither transparent nor translucent


def test_charts_have_the_colour_of_the_page(screen: Screen) -> None:
    """The text of a chart has the colour of the panel's text."""
    for chart in ("Timeline", "Capacity"):
        screen.open_drawn_tab(chart)
        colours = screen.panel.locator(f"{PLOT}:visible").evaluate(
            """plot => [getComputedStyle(plot).color,
                ...[...plot.querySelectorAll(".ytick text, .gtitle")].map(
                    text => getComputedStyle(text).fill)]"""
        )
        assert len(colours) > 10, chart
        assert set(colours) == {colours[0]}, chart


# --- nothing moves, nothing hides -----------------------------------------------------


def test_filters_move_nothing(screen: Screen) -> None:
    """Filters that are set and removed again move neither the facets nor the table by a pixel."""
    where = ".fl-head, .fl-side, .fl-facet, .fl-range, .lm-TabBar, th"
    measure = """(panel, where) => [...panel.querySelectorAll(where)].map(element => {
        const { x, y } = element.getBoundingClientRect();
        const { x: left, y: top } = panel.getBoundingClientRect();
        return element.tagName === "TH" ? y - top : [x - left, y - top];
    })"""
    before = screen.panel.evaluate(measure, where)
    assert len(before) > 15
    for count, value in enumerate(("ap-south-1", "eu-west-1", "us-east-1"), 1):
        screen.find_box("Region", value).check()
        expect(screen.chips).to_have_count(count)
        assert screen.panel.evaluate(measure, where) == before
    screen.rows.first.click()
    expect(screen.summary).to_contain_text("1 selected")
    assert screen.panel.evaluate(measure, where) == before
    for count in (2, 1, 0):
        screen.chips.first.click()
        expect(screen.chips).to_have_count(count)
        assert screen.panel.evaluate(measure, where) == before


def test_three_quick_clicks_hit_three_boxes(screen: Screen) -> None:
    """Clicks at the places where three boxes were hit these, 150 ms apart."""
    boxes = [screen.find_box("Region", name) for name in ("ap-south-1", "eu-west-1", "us-east-1")]
    places = [place for box in boxes if (place := box.bounding_box())]
    for place in places:
        screen.page.mouse.click(place["x"] + 5, place["y"] + 5, delay=150)
    for box in boxes:
        expect(box).to_be_checked()
    screen.expect_in_kernel(
        filters={"region": ["ap-south-1", "eu-west-1", "us-east-1"]}, selected=[]
    )


def test_focus_moves_on_when_a_chip_is_removed(screen: Screen) -> None:
    """With keys alone, one chip after the other can be removed; then the search has the focus."""
    for name in ("eu-west-1", "us-east-1"):
        screen.find_box("Region", name).check()
    expect(screen.chips).to_have_count(2)
    screen.chips.last.focus()
    screen.page.keyboard.press("Enter")
    expect(screen.chips).to_have_count(1)
    expect(screen.chips.first).to_be_focused()
    screen.page.keyboard.press("Enter")
    expect(screen.search).to_be_focused()


def test_since_and_reason_are_whole(screen: Screen) -> None:
    """In JupyterLab, 1280 pixels wide with its file browser open, all columns can be read."""
    browser = screen.page.locator('[data-id="filebrowser"]').all()
    for tab in browser:
        tab.click()
    wide = screen.table.locator(".dt-container")
    assert wide.evaluate("wide => wide.scrollWidth - wide.clientWidth") == 0
    for heading in ("Since", "Reason", "Parallel"):
        cell = screen.table.locator("th", has_text=heading)
        hidden = "cell => cell.scrollWidth - cell.clientWidth"
        assert cell.evaluate(hidden) <= 0, heading
    assert len(set(screen.rows.evaluate_all("rows => rows.map(row => row.clientHeight)"))) == 1
    top = screen.panel.bounding_box()
    first = screen.rows.first.bounding_box()
    assert top
    assert first
    assert first["y"] - top["y"] <= 180
    for tab in browser:
        tab.click()


def test_no_tooltip_is_null(screen: Screen) -> None:
    """No control of any tab has a tooltip that says "null"."""
    screen.find_box("State", "enabling-failed").check()
    screen.rows.first.click()
    for title in TABS:
        screen.open_drawn_tab(title)
        assert screen.panel.locator('[title="null"]').count() == 0, title


def test_columns_move_by_mouse_and_keys(screen: Screen) -> None:
    """A heading that is dragged, or moved with Shift and an arrow key, moves its column."""
    headings = screen.table.locator("th")
    boxes = [headings.nth(n).bounding_box() for n in (0, 2)]
    first, third = boxes
    assert first
    assert third
    screen.page.mouse.move(third["x"] + 10, third["y"] + 10)
    screen.page.mouse.down()
    screen.page.mouse.move(first["x"] + 40, first["y"] + 10)
    screen.page.mouse.move(first["x"] + 4, first["y"] + 10)
    screen.page.mouse.up()
    expect(headings).to_contain_text(["Image", "State ▲", "Since"])  # and no click sorts
    headings.first.get_by_role("button").focus()
    screen.page.keyboard.press("Shift+ArrowRight")
    expect(headings).to_contain_text(["State", "Image", "Since"])
    expect(headings.nth(1).get_by_role("button")).to_be_focused()


@pytest.mark.parametrize("tab", ["Timeline", "Findings", "Code"])
def test_a_tab_leaves_the_page_where_it_is(screen: Screen, tab: str) -> None:
    """A narrow panel at the end of a notebook, too, stays where it is while a tab draws."""
    screen.page.set_viewport_size({"width": 700, "height": 600})
    bar = screen.panel.locator(".lm-TabBar").first
    bar.evaluate("bar => bar.scrollIntoView({ block: 'start' })")
    before = bar.bounding_box()
    screen.open_drawn_tab(tab)
    assert bar.bounding_box() == before
    screen.open_drawn_tab("Table")
    assert bar.bounding_box() == before
