"""What a sweep sends out: to open an account, and to look at one of its regions.

Both go out empty, to a thread or to another process, and come home with what
they found. What goes wrong on the way is noted, not raised.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event
from typing import Any, TypeAlias

from fastlaunch_nb.aws.clients import AccountSession, in_partition
from fastlaunch_nb.aws.fast_launch_pages import EXPIRED_TOKEN, NOT_OPEN, Page, PageReader
from fastlaunch_nb.aws.targets import AccountCache, identify
from fastlaunch_nb.errors import (
    FastLaunchError,
    ReadError,
    SetupError,
    did_you_mean,
    redact,
)
from fastlaunch_nb.schema.arrow import Batch, make_batch
from fastlaunch_nb.schema.columns import COMPLETE, FAILED, INTERRUPTED, NOT_OPTED_IN, PARTIAL
from fastlaunch_nb.sources.pages import response_date

INTERRUPTION = "Interrupted"
"""The error code of a look that Ctrl-C ended."""
Key: TypeAlias = tuple[str | int, str | None]
"""An account's id, or the number of its target where it has none; and a region."""


@dataclass
class AccountTask:
    """The opening of an account: whose it is, and which regions it has.

    `named` are the regions that were asked for; None is all that are enabled.
    `known` says of accounts which regions an earlier sweep found, and `expected`
    which account that was, where it knew.
    """

    source: Any  # aws.Source
    number: int
    named: tuple[str, ...] | None
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expected: str | None = None
    account_id: str | None = None
    partition: str = ""
    regions: Mapping[str, bool] = field(default_factory=dict)
    error: BaseException | None = None

    def go(self, vault: AccountCache, _stopped: Event | None) -> AccountTask:
        """Open the account; list its regions where they are not known."""
        try:
            access = vault.open(self.source, self.named[0] if self.named else None)
            self.account_id = self._identified(identify(access, self.source))
            self.partition = access.partition
            if self.named is None:
                known = self.known.get(self.account_id)
                self.regions = dict.fromkeys(known, True) if known else access.regions()
        except FastLaunchError as error:
            self.error = error
        return self

    def _identified(self, found: str) -> str:
        if self.expected not in (None, found):
            raise SetupError(
                f"The credentials now lead to account {found}, and the sweep read "
                f"{self.expected}. Pass targets that lead there."
            )
        return found

    def to_look_at(self) -> Sequence[str | None]:
        """Return the regions to look at; None alone where they can not be known."""
        if self.named is None:
            return tuple(self.regions) or (None,)
        return in_partition(self.named, self.partition)


@dataclass
class RegionScan:
    """One look at an account and region: a row of the coverage, and the images it brought.

    The fields that a coverage has bear its names. Pages are noted as they come,
    so that who stops waiting still finds those.
    """

    source: Any  # aws.Source; None once it is done
    number: int
    region: str | None
    request: Mapping[str, Any]
    scope: str
    account_id: str | None = None
    account_name: str | None = None
    status: str = INTERRUPTED
    error_code: str | None = None
    error_message: str | None = None
    request_id: str | None = None
    pages: int = 0
    rows: int = 0
    seconds: float = 0.0
    retries: int = 0
    observed_at: datetime | None = None
    checkpoint: str | None = None
    batches: tuple[Batch, ...] = ()
    continues: bool = False  # an earlier sweep's look, from its checkpoint on
    afresh: bool = False  # what that one brought no longer counts

    @property
    def key(self) -> Key:
        """What tells it from all others of its sweep."""
        return (self.account_id or self.number, self.region)

    @property
    def is_left(self) -> bool:
        """Whether there is more to read."""
        return self.status in (PARTIAL, FAILED, INTERRUPTED)

    def again(self, source: Any) -> RegionScan:
        """Return the look that goes on where this one ended."""
        fresh = {"error_code": None, "error_message": None, "request_id": None, "batches": ()}
        return replace(
            self,
            source=source,
            status=INTERRUPTED,
            continues=self.checkpoint is not None,
            observed_at=self.observed_at if self.pages else None,
            afresh=False,
            **fresh,  # type: ignore[arg-type]
        )

    def settled(self) -> RegionScan:
        """Return it as it is now, for good: whoever is still at work on it may go on."""
        now = replace(self)
        if now.status == INTERRUPTED and now.pages and now.checkpoint is None:
            now.status = COMPLETE  # stopped between its last page and saying so
        elif now.status == INTERRUPTED:
            now.interrupt()
        return now

    def go(self, vault: AccountCache, stopped: Event | None) -> RegionScan:
        """Read all pages, or as many as come."""
        began = time.perf_counter()
        pages = self.pages
        access = reader = None
        try:
            access = vault.open(self.source, self.region)
            reader = PageReader(access, str(self.region))
            self._read_or_start_over(reader, stopped)
        except FastLaunchError as error:
            self.fail(error)
            if access and self.error_code in NOT_OPEN:
                self._tell_not_opted_in(access)
        self.seconds += time.perf_counter() - began
        if reader:
            asked = self.pages - (0 if self.afresh else pages) + (self.status != COMPLETE)
            self.retries += max(0, reader.sent - asked)
        return self

    def fail(self, error: BaseException) -> None:
        """Note why this look ended before it was complete."""
        self.status = PARTIAL if self.pages else FAILED
        self.error_code = getattr(error, "code", type(error).__name__)
        self.request_id = getattr(error, "request_id", None)
        self.observed_at = self.observed_at or response_date(getattr(error, "date", None))
        said = str(error) if isinstance(error, FastLaunchError) else redact(str(error))
        for in_a_column_of_its_own in (f" (request {self.request_id})", f" in {self.region}"):
            said = said.replace(in_a_column_of_its_own, "", 1)
        self.error_message = said

    def _read_or_start_over(self, reader: PageReader, stopped: Event | None) -> None:
        try:
            self._read(reader, stopped)
        except ReadError as error:
            if not self.continues or error.code not in EXPIRED_TOKEN:
                raise
            self.pages = self.rows = 0
            self.checkpoint = self.observed_at = None
            self.continues, self.afresh = False, True
            self._read(reader, stopped)

    def _read(self, reader: PageReader, stopped: Event | None) -> None:
        for page in reader.pages(self.request, self.checkpoint):
            self._take(page)
            if page.next_token and stopped is not None and stopped.is_set():
                self.interrupt()
                return
        self.status = COMPLETE

    def _take(self, page: Page) -> None:
        self.observed_at = self.observed_at or response_date(page.date)
        rows = max(map(len, page.columns.values()), default=0)
        if rows:
            asked = {"account_id": self.account_id, "region": self.region}
            rows_read = make_batch(page.columns, observed_at=self.observed_at, **asked)
            self.batches = (*self.batches, rows_read)
        self.rows += rows
        self.pages += 1
        self.checkpoint = page.next_token
        self.continues = False

    def interrupt(self) -> None:
        """Note that nobody waits for the rest."""
        self.status = PARTIAL if self.pages else INTERRUPTED
        self.error_code, self.error_message = INTERRUPTION, "The sweep was stopped: resume it."

    def _tell_not_opted_in(self, access: AccountSession) -> None:
        """Tell a region that is not opted in, or is none, from credentials that are no good."""
        try:
            regions = access.regions()
        except FastLaunchError:
            return
        if self.region not in regions:
            meant = did_you_mean(str(self.region), regions)
            self.error_message = f"{self.error_message} AWS lists no region {self.region!r}.{meant}"
        elif not regions[self.region]:
            self.status = NOT_OPTED_IN
            self.error_code = self.error_message = self.request_id = None
