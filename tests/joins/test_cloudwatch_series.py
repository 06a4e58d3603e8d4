"""The choice of one series per image and metric."""

from __future__ import annotations

from typing import Any

import pytest

from fastlaunch_nb.joins import cloudwatch
from fastlaunch_nb.joins.queries import AccountRegion
from tests.helpers.samples import ACCOUNT


@pytest.mark.parametrize("step", [1, -1])
def test_the_order_of_series_does_not_matter(step: int) -> None:
    """The series with the fewest dimensions counts, wherever CloudWatch lists it."""
    plain = {"MetricName": "m", "Dimensions": [{"Name": "A", "Value": "ami-1"}]}
    finer = {**plain, "Dimensions": [*plain["Dimensions"], {"Name": "B", "Value": "b"}]}

    class FakeClient:
        def iter_pages(self, *_: object) -> list[dict[str, Any]]:
            return [{"Metrics": [plain, finer][::step]}]

    client: Any = FakeClient()
    found = cloudwatch._find_series(AccountRegion(ACCOUNT, client, ["ami-1"]), [cloudwatch.STOCK])
    assert [series.metric for series in found] == [plain]
