"""Public names: what the package exports, documents, and loads."""

from __future__ import annotations

import inspect

import pytest

import fastlaunch_nb as fl
from tests.architecture.test_layers import FILES, room_of
from tests.helpers.samples import ROOT, run_python

PUBLIC = [
    "FastLaunchError",
    "FastLaunchWarning",
    "Filters",
    "History",
    "InputError",
    "MissingExtraError",
    "Pool",
    "Prices",
    "RULES",
    "ReadError",
    "Rule",
    "SetupError",
    "SourceError",
    "StoreError",
    "Sweep",
    "SweepError",
    "Target",
    "alt_text",
    "capacity",
    "dashboard",
    "demo",
    "describe",
    "embed",
    "enrich",
    "findings",
    "fleet_map",
    "from_events",
    "from_pages",
    "intervals",
    "launches",
    "load",
    "measure_fill_time",
    "metrics",
    "panel",
    "render_command",
    "right_size",
    "sizing_curve",
    "snapshots",
    "state_mix",
    "sweep",
    "table",
    "targets",
    "text",
    "timeline",
    "unchecked",
]


def test_public_names() -> None:
    """The package exports exactly these names, sorted, and each of them exists."""
    assert fl.__all__ == PUBLIC
    assert set(PUBLIC) < set(dir(fl))
    for name in PUBLIC:
        assert name.isupper() or getattr(fl, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'sweeep'"):
        fl.sweeep  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name: str) -> None:
    """Every public name has a docstring; a function's has all sections."""
    sections = ("Parameters", "Returns", "Raises", "Examples") if name.islower() else ()
    assert inspect.isfunction(getattr(fl, name)) == name.islower()
    doc = inspect.getdoc(getattr(fl, name)) or ""
    assert doc
    assert [section for section in sections if f"{section}\n---" not in doc] == []


def test_no_room_is_named_like_a_public_function() -> None:
    """No module or subpackage has the name of a public function."""
    assert {room_of(path) for path in FILES} & set(PUBLIC) == set()


def test_every_module_can_be_imported_by_its_name() -> None:
    """``import fastlaunch_nb.room.module as m`` imports each module."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES]
    modules = [name.removesuffix(".__init__") for name in names if "__main__" not in name]
    script = "\n".join(
        f"import {name} as m; assert m.__name__ == {name!r}, {name!r}" for name in modules
    )
    assert run_python(script) == ""


def test_the_import_loads_nothing_heavy() -> None:
    """Importing the package does not load pandas, boto3, plotly, ipywidgets or moto."""
    script = "import sys, fastlaunch_nb; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = run_python(script).split()
    assert "fastlaunch_nb" in loaded
    assert not {"pandas", "boto3", "plotly", "ipywidgets", "moto"} & set(loaded)
