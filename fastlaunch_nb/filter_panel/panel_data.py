"""The data of a panel: images, intervals and findings, filtered by a mask of the images."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fastlaunch_nb.filter_panel.folded_rows import Mask
from fastlaunch_nb.filter_panel.history_reads import Past
from fastlaunch_nb.filter_panel.selection import Key, get_keys
from fastlaunch_nb.filters.fields import RANGES
from fastlaunch_nb.rules.evaluate import RULES, Evaluation, prepare_facts
from fastlaunch_nb.rules.rule import TEXTS, RuleInput
from fastlaunch_nb.rules.unchecked import UncheckedRules, group_unchecked_rules
from fastlaunch_nb.schema.columns import COLUMNS, COUNT, COVERAGE, INTERVAL_COLUMNS, KEY
from fastlaunch_nb.schema.joins import FINDINGS, STOCK_COLUMNS
from fastlaunch_nb.validation import validate_columns


class _ImageRows(NamedTuple):
    """Rows about images, and the position of each row's image; -1 if it is not in the panel."""

    rows: pd.DataFrame
    positions: np.ndarray[Any, np.dtype[np.int64]]

    def match(self, mask: Mask) -> Mask:
        """Return a mask of the rows about images in a mask; all rows if it has all images."""
        if mask.all():  # rows of images that no longer exist count, too
            return np.ones(len(self.rows), dtype=np.bool_)
        matches: Mask = mask[self.positions] & (self.positions >= 0)
        return matches


class PanelData:
    """Images, intervals, findings and coverage of a panel, filtered by a mask of the images."""

    def __init__(
        self,
        images: pd.DataFrame,
        intervals: pd.DataFrame | None,
        findings: pd.DataFrame | None,
        coverage: pd.DataFrame | None = None,
    ) -> None:
        self.images, self.coverage = images, coverage
        self._intervals, self._findings = intervals, findings

    def replace(self, past: Past) -> PanelData:
        """Return the data of a past, with names of now; what else it does not know is unknown."""
        names = [n for n in (*RANGES, *STOCK_COLUMNS) if n in self.images]
        unknown = pd.Series(pd.NA, index=past.images.index, dtype=COUNT)
        missing = {n: unknown for n in names if n not in past.images}
        images = self.fill_names(past.images).assign(**missing)
        return PanelData(images, past.intervals, past.findings, past.coverage)

    def fill_names(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows about images with names that only this data has; a history may lack them."""
        for name, key in {"image_name": list(KEY), "account_name": ["account_id"]}.items():
            if name in self.images and name in rows:
                known = self.images.dropna(subset=[name]).drop_duplicates(key, keep="last")
                names = rows[key].merge(known[[*key, name]], how="left", on=key)[name]
                rows = rows.assign(**{name: rows[name].fillna(names.set_axis(rows.index))})
        return rows

    @classmethod
    def create(cls, images: Any, intervals: Any, findings: Any, coverage: Any) -> PanelData:
        """Refuse data that the tabs cannot show; copy the images, which the caller may change."""
        images = validate_columns("images", images, *(column.name for column in COLUMNS))
        if intervals is not None:
            intervals = validate_columns("intervals", intervals, *INTERVAL_COLUMNS)
        if findings is not None:
            names = (column.name for column in FINDINGS)
            findings = validate_columns("findings", findings, *names)
        if coverage is not None:
            names = (column.name for column in COVERAGE)
            coverage = validate_columns("coverage", coverage, *names)
        return cls(images.copy(), intervals, findings, coverage)

    @property
    def keys(self) -> Set[Key]:
        """The keys of all images: those that can be selected."""
        return self._positions.keys()

    @cached_property
    def _positions(self) -> dict[Key, int]:
        return {key: position for position, key in enumerate(get_keys(self.images))}

    def select_images(self, keys: Sequence[Key]) -> pd.DataFrame:
        """Return the rows of images, in this order."""
        return self.images.iloc[[self._positions[key] for key in keys]]

    def select_intervals(self, key: Key) -> pd.DataFrame | None:
        """Return the intervals of an image; None if the panel has no intervals."""
        if self._intervals is None:
            return None
        rows, positions = self._interval_rows
        chosen: pd.DataFrame = rows[positions == self._positions[key]]
        return chosen

    def select_findings(self, key: Key) -> pd.DataFrame:
        """Return the findings on an image, with evidence, advice and command."""
        rows, positions = self._finding_rows
        return self.compose_findings(rows[positions == self._positions[key]])

    @property
    def has_findings(self) -> bool:
        """True if the findings are there: to look for them takes time."""
        return self._findings is not None or "_evaluation" in vars(self)

    def match_keys(self, keys: Collection[Key]) -> Mask:
        """Return a mask of the images with these keys."""
        wanted = frozenset(keys)
        return np.fromiter((key in wanted for key in get_keys(self.images)), np.bool_)

    def filter_intervals(self, mask: Mask) -> pd.DataFrame:
        """Return the intervals of the images in a mask; these images if there are no intervals."""
        if self._intervals is None:
            return self.images[mask]
        return self._interval_rows.rows.loc[self._interval_rows.match(mask)]

    @property
    def findings(self) -> pd.DataFrame:
        """The findings with the names of their images, but without texts unless passed."""
        return self._finding_rows.rows

    def compose_findings(self, rows: pd.DataFrame, names: Sequence[str] = TEXTS) -> pd.DataFrame:
        """Return some of the findings with evidence, advice and command, or some of these."""
        return rows if self._evaluation is None else self._evaluation.compose(rows, names)

    @property
    def has_commands(self) -> bool:
        """True if a finding has a command."""
        if self._evaluation is None:
            return bool(self.findings["command"].notna().any())
        return self._evaluation.has_commands()

    def list_unchecked(self) -> list[UncheckedRules]:
        """Return the rules that could not judge all images.

        Rules that need other tables are left out of findings that were passed: those may have
        had these tables.
        """
        is_own = self._findings is None
        rules = [rule for rule in RULES if is_own or not rule.needs]
        return group_unchecked_rules(self._facts, rules, self.images.columns)

    def find_problems(self) -> None:
        """Apply all rules, unless findings were passed, so that what needs these is fast."""
        _ = self._finding_rows

    def count_findings(self, mask: Mask) -> int | None:
        """Return the number of findings for the images in a mask, if it is known without work."""
        if "_finding_rows" in vars(self):
            return int(self.match_findings(mask).sum())
        return len(self._findings) if self._findings is not None and mask.all() else None

    def match_findings(self, mask: Mask) -> Mask:
        """Return a mask of the findings about the images in a mask, or about their regions."""
        matches, findings = self._finding_rows.match(mask), self.findings
        is_regional = findings["image_id"].isna().to_numpy()
        if is_regional.any():
            scope = ["account_id", "region"]
            scopes = pd.MultiIndex.from_frame(self.images.loc[mask, scope].drop_duplicates())
            matches |= is_regional & pd.MultiIndex.from_frame(findings[scope]).isin(scopes)
        return matches

    @cached_property
    def _interval_rows(self) -> _ImageRows:
        return self._locate_images(self._intervals)

    @cached_property
    def _finding_rows(self) -> _ImageRows:
        evaluation = self._evaluation
        return self._locate_images(self._findings if evaluation is None else evaluation.rows)

    @cached_property
    def _facts(self) -> RuleInput:
        return prepare_facts(self.images, self._intervals, self.coverage, None)

    @cached_property
    def _evaluation(self) -> Evaluation | None:
        """The findings of all rules, unless findings were passed."""
        return Evaluation(self._facts, RULES) if self._findings is None else None

    def _locate_images(self, rows: Any) -> _ImageRows:
        """Add the names and the positions of their images to rows."""
        keys = list(KEY)
        images = self.images[keys].assign(_position=np.arange(len(self.images)))
        # pandas' own isin makes a list of all ids first.
        ids, searched = (pa.array(it["image_id"], pa.large_string()) for it in (images, rows))
        has_rows = pc.is_in(ids, searched)
        images = images[has_rows.to_numpy(zero_copy_only=False)].drop_duplicates(keys)
        positions = rows[keys].merge(images, how="left", on=keys)["_position"]
        names = [n for n in ("image_name", "account_name") if n in self.images and n not in rows]
        named = self.images[names].reset_index(drop=True).reindex(positions).set_axis(rows.index)
        return _ImageRows(rows.assign(**named), positions.fillna(-1).to_numpy(np.int64))
