"""The style that all charts share: colours, labels, escaped text, and figures without data."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.charts import style
from fastlaunch_nb.charts.style import state_style
from fastlaunch_nb.schema.columns import API_STATES, STATES
from fastlaunch_nb.sources.pages import empty_images
from tests.charts.chart_helpers import SCAN, read_labels, read_subtitle
from tests.helpers.cases import costly
from tests.helpers.samples import HOSTILE, item

CHARTS = [fl.timeline, fl.capacity]


# --- colours --------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour by WCAG 2.2."""
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("page", ["#ffffff", "#111111", "#212121"])
def test_text_and_failures_stand_out(page: str) -> None:
    """Text has as much contrast as any grey can on light and dark; the colour of a failure 3:1."""
    minimum = {style.GREY: 4.0}
    failures = [state for state in STATES if state.endswith("-failed")]
    minimum |= {state_style(state).colour: 3.0 for state in failures}
    assert len(minimum) == 1 + 3
    for colour, least in minimum.items():
        dark, light = sorted((luminance(page), luminance(colour)))
        assert (light + 0.05) / (dark + 0.05) >= least, f"{colour} on {page}"


def test_state_styles_differ() -> None:
    """No two states look the same, and failures differ by pattern, not by colour alone."""
    styles = [state_style(state) for state in (*STATES, "new")]
    assert len(set(styles)) == len(styles)
    failures = [state_style(state) for state in STATES if state.endswith("-failed")]
    assert len({failure.pattern for failure in failures} - {""}) == len(failures)


# --- labels and text ------------------------------------------------------------------


@pytest.mark.parametrize("chart", CHARTS)
def test_labels_are_names_if_there_are_any(images: pd.DataFrame, chart: Any) -> None:
    """A label has the image's name if it is known, else its id."""
    assert "nan" not in chart(images.assign(image_name=float("nan"))).to_json().casefold()
    names = images["image_id"].map({"ami-00000000000000001": "base"})
    labels = read_labels(chart(images.assign(image_name=names)))
    assert "base · us-east-1" in labels
    assert any(label.startswith("ami-") for label in labels)


JENKINS, GITLAB = (f"windows-2022-{kind}-agent-2026.01-x86_64" for kind in ("jenkins", "gitlab"))


@pytest.mark.parametrize("chart", CHARTS)
def test_labels_of_rows_differ(chart: Any) -> None:
    """Long names that differ in their middle, and one AMI in two accounts, have unique labels."""
    frames = [
        fl.from_pages([item(1), item(2)], account_id=account, region="us-east-1", observed_at=SCAN)
        for account in ("123456789012", "111122223333")
    ]
    rows = pd.concat(frames, ignore_index=True).assign(image_name=[JENKINS, GITLAB] * 2)
    labels = read_labels(chart(rows))
    assert len(set(labels)) == 4
    for part in ("2022-j…", "2022-g…", "123456789012", "111122223333"):
        assert sum(part in label for label in labels) == 2, (part, labels)
    same_name = read_labels(chart(rows.assign(image_name="base").head(2)))
    assert sorted(same_name) == [f"base · us-east-1 · ami-0…0000{n}" for n in (1, 2)]


@pytest.mark.parametrize("chart", CHARTS)
def test_hostile_text_is_escaped(images: pd.DataFrame, chart: Any) -> None:
    """Markup in names and reasons is escaped in every text of the figure."""
    figure = chart(images.assign(image_name=HOSTILE, account_name=HOSTILE))
    texts = list_strings(json.loads(figure.to_json()))
    assert [text for text in texts if "<img" in text or "</script" in text] == []
    assert [text for text in texts if "&lt;img" in text], "the hostile text is not drawn at all"


def list_strings(node: Any) -> list[str]:
    """Return all strings of a JSON document but its keys."""
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return [text for child in children for text in list_strings(child)]


def test_quotes_are_not_escaped(images: pd.DataFrame) -> None:
    """Quotes stay as they are, because plotly does not decode them."""
    quoted = images.head(1).assign(image_name='my "golden" image')
    assert read_labels(fl.capacity(quoted)) == ['my "golden" image · us-east-1']


def test_hundreds_of_rows_stay_legible() -> None:
    """Low rows have no marks, smaller diamonds, and one note for all unknown targets."""
    unknown = [item(n, SnapshotConfiguration={}) for n in range(300, 340)]
    old = [item(n, StateTransitionTime="2020-01-01T00:00:00Z") for n in range(300)]
    images = fl.from_pages([*old, *unknown], observed_at=SCAN)
    assert "◀" not in str(fl.timeline(images).to_dict())
    figure = fl.capacity(images, top=len(images))
    assert figure.data[1].marker.size < 9
    assert [note.text for note in figure.layout.annotations] == [
        "<i>target unknown for 40 images</i>"
    ]
    assert "◀" in str(fl.timeline(images.head(20)).to_dict())


@costly
@given(
    count=st.integers(1, 400),
    states=st.lists(st.sampled_from([*API_STATES, "new", None]), min_size=1, max_size=8),
)
def test_any_fleet_can_be_drawn(count: int, states: list[str | None]) -> None:
    """Law: every image of any fleet has a row, and labels are far enough apart to read."""
    images = fl.from_pages(
        [item(n, states[n % len(states)]) for n in range(count)], observed_at=SCAN
    )
    for figure in (fl.timeline(images), fl.capacity(images, top=count)):
        layout = figure.layout
        height = layout.height - layout.margin.t - layout.margin.b
        assert height / len(layout.yaxis.ticktext) >= 12, layout.title.text
        assert sum(len(trace.y) for trace in figure.data) >= count


# --- the base figure ------------------------------------------------------------------


@pytest.mark.parametrize("chart", CHARTS)
def test_demo_data_is_marked(images: pd.DataFrame, chart: Any) -> None:
    """A figure is marked if any row is of the demo's accounts, and only then."""
    assert "Demo data" in read_subtitle(chart(images))
    real = images[images["account_id"] == "999988887777"]
    assert "Demo data" not in read_subtitle(chart(real))
    raw = images[images["account_id"] == "111122223333"].assign(account_id=None)
    assert "Demo data" in read_subtitle(chart(raw))


@pytest.mark.parametrize("chart", CHARTS)
def test_nothing_can_be_uploaded(images: pd.DataFrame, chart: Any) -> None:
    """The figure itself disables plotly's button that sends the data to its cloud."""
    assert "sendChartToCloud" in chart(images).layout.modebar.remove
    assert "sendChartToCloud" in chart(empty_images()).layout.modebar.remove


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("emptied", ["none", "by pandas", "by Filters"])
def test_empty_figures_claim_no_more_than_they_know(
    images: pd.DataFrame, chart: Any, emptied: str
) -> None:
    """An empty figure has the same text however its frame became empty, which it cannot know."""
    empty = {
        "none": empty_images(),
        "by pandas": images[images["state"] == "zzz"],
        "by Filters": fl.Filters(text="zzz").apply(images),
    }[emptied]
    title = chart(empty).layout.title
    assert title.text == "No image to show."
    assert "nothing could be read, or a filter kept no row" in title.subtitle.text
    assert "0 images" not in str(title)


@pytest.mark.parametrize("chart", CHARTS)
def test_other_objects_are_refused(chart: Any) -> None:
    """Anything else than a frame of images is refused, with the columns that it lacks."""
    with pytest.raises(fl.InputError, match="Got a list"):
        chart([])
    with pytest.raises(fl.InputError, match="lacks"):
        chart(pd.DataFrame({"x": [1]}))
