"""Tasks of a sweep: open one account, scan one region.

A worker, which is a thread or another process, fills in the results and returns
the task. Errors are recorded in the task, not raised.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

from fastlaunch_nb.aws.clients import AccountSession, filter_by_partition
from fastlaunch_nb.aws.fast_launch_pages import EXPIRED_TOKEN, NOT_OPEN, Page, PageReader
from fastlaunch_nb.aws.read_limits import DEFAULT_TIMEOUT, TimeLimit, get_code
from fastlaunch_nb.aws.targets import AccountCache, TargetLike, identify_account
from fastlaunch_nb.collect.describe import convert_images
from fastlaunch_nb.errors import (
    FastLaunchError,
    ReadError,
    SetupError,
    describe_exception,
    did_you_mean,
)
from fastlaunch_nb.schema.arrow import Batch
from fastlaunch_nb.schema.columns import COMPLETE, FAILED, INTERRUPTED, NOT_OPTED_IN, PARTIAL
from fastlaunch_nb.sources.pages import choose_response_time

INTERRUPTION = "Interrupted"
"""The error code of a scan that Ctrl-C or the caller stopped."""
Key: TypeAlias = tuple[str | int, str | None]
"""An account id, or the number of the target if that is unknown; and a region."""


@dataclass
class AccountTask:
    """The task to open the account of a target and to find its regions."""

    target: TargetLike
    number: int  # the position of the target among those of the sweep
    requested_regions: tuple[str, ...] | None  # None for all that the account has enabled
    # Of an earlier sweep: the regions that it found in each account, and the target's account.
    known_regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expected_account_id: str | None = None
    timeout: float = DEFAULT_TIMEOUT  # seconds
    # The results:
    account_id: str | None = None
    partition: str = ""
    regions: Mapping[str, bool] = field(default_factory=dict)  # True for one that is enabled
    error: BaseException | None = None
    # What it has in common with a scan:
    operation: ClassVar[str] = "GetCallerIdentity"
    region: ClassVar[None] = None

    @property
    def error_code(self) -> str | None:
        """The code of its error, if there is one."""
        return get_code(self.error)

    def run(self, cache: AccountCache, limit: TimeLimit | None = None) -> AccountTask:
        """Open the account, and list its regions if they are unknown."""
        try:
            with (limit or TimeLimit(self.timeout)).watch():
                self._open(cache)
        except FastLaunchError as error:
            self.fail(error)
        return self

    def fail(self, error: BaseException) -> None:
        """Record the error for which the account did not open; the first one counts."""
        self.error = self.error or error

    def _open(self, cache: AccountCache) -> None:
        requested = self.requested_regions
        account_session = cache.open(self.target, requested[0] if requested else None)
        account_id = identify_account(account_session, self.target)
        if self.expected_account_id not in (None, account_id):
            raise SetupError(
                f"The credentials now belong to account {account_id}, but the sweep read "
                f"{self.expected_account_id}. Pass targets for {self.expected_account_id}."
            )
        self.account_id, self.partition = account_id, account_session.partition
        if requested is None:
            known = dict.fromkeys(self.known_regions.get(account_id, ()), True)
            self.regions = known or account_session.list_regions()

    def regions_to_scan(self) -> Sequence[str | None]:
        """Return the regions to scan; a single None if they cannot be known."""
        if self.requested_regions is None:
            return tuple(self.regions) or (None,)
        return filter_by_partition(self.requested_regions, self.partition)


@dataclass
class RegionScan:
    """The task to read one account and region: a row of the coverage, and its images.

    Fields that are columns of a coverage have their names. Each page is recorded
    at once, so that the main thread can use the pages of an unfinished scan.
    """

    target: Any  # TargetLike; None after the sweep
    number: int  # of the target
    region: str | None
    request: Mapping[str, Any]
    scope: str
    timeout: float = DEFAULT_TIMEOUT  # seconds from one whole page to the next
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
    refused_date: datetime | None = None  # of the response, if it is too far in the future
    checkpoint: str | None = None
    batches: tuple[Batch, ...] = ()
    is_resumed: bool = False  # from the checkpoint of an earlier sweep, with no page read since
    is_restarted: bool = False  # the rows of the earlier sweep are no longer valid
    operation: ClassVar[str] = "DescribeFastLaunchImages"

    @property
    def key(self) -> Key:
        """The key of this scan, unique in its sweep."""
        return (self.account_id or self.number, self.region)

    @property
    def account_region(self) -> tuple[str | None, str | None]:
        """The account and region, as rows of images have them."""
        return (self.account_id, self.region)

    @property
    def is_incomplete(self) -> bool:
        """True if there is more to read."""
        return self.status in (PARTIAL, FAILED, INTERRUPTED)

    def retry(self, target: Any, timeout: float) -> RegionScan:
        """Return a scan that continues where this one stopped."""
        return replace(
            self,
            target=target,
            timeout=timeout,
            status=INTERRUPTED,
            error_code=None,
            error_message=None,
            request_id=None,
            batches=(),
            observed_at=self.observed_at if self.pages else None,
            is_resumed=self.checkpoint is not None,
            is_restarted=False,
        )

    def finalize(self) -> RegionScan:
        """Return a copy with its final status; a worker may still change the original."""
        final = replace(self)
        if final.status == INTERRUPTED and final.pages and final.checkpoint is None:
            final.status = COMPLETE  # stopped after its last page
        elif final.status == INTERRUPTED:
            final.interrupt()
        return final

    def run(self, cache: AccountCache, limit: TimeLimit | None = None) -> RegionScan:
        """Read all pages, or as many as possible."""
        start = time.perf_counter()
        try:
            with (limit or TimeLimit(self.timeout)).watch():
                self._read(cache)
        except FastLaunchError as error:
            self.fail(error)
        self.seconds += time.perf_counter() - start
        return self

    def _read(self, cache: AccountCache) -> None:
        account_session = cache.open(self.target, self.region)
        reader = PageReader(account_session, str(self.region))
        earlier_pages = self.pages
        try:
            self._read_or_restart(reader)
        except ReadError as error:
            if error.code not in NOT_OPEN or self._is_region_open(account_session, error):
                raise
            self.status = NOT_OPTED_IN
            self._record_time(error.date)
        finally:
            new_pages = self.pages - (0 if self.is_restarted else earlier_pages)
            needed = new_pages + (self.status != COMPLETE)
            self.retries += max(0, reader.request_count - needed)

    def fail(self, error: BaseException) -> None:
        """Record the error that ended this scan."""
        code = get_code(error)
        if code == INTERRUPTION:
            self.interrupt()
            return
        self.status = PARTIAL if self.pages else FAILED
        self.error_code = code
        self.request_id = getattr(error, "request_id", None)
        self._record_time(getattr(error, "date", None))
        if isinstance(error, FastLaunchError):
            self.error_message = error.summary()
        else:  # of an executor, whose exceptions may have no text
            reason = describe_exception(error)
            self.error_message = f"{self.operation}: {reason}. Resume the sweep to read it again."

    def interrupt(self) -> None:
        """Record that the sweep was stopped before the end of this scan."""
        self.status = PARTIAL if self.pages else INTERRUPTED
        self.error_code, self.error_message = INTERRUPTION, "The sweep was stopped: resume it."

    def _read_or_restart(self, reader: PageReader) -> None:
        try:
            self._read_pages(reader)
        except ReadError as error:
            if not self.is_resumed or error.code not in EXPIRED_TOKEN:
                raise
            self.pages = self.rows = 0
            self.checkpoint = self.observed_at = None
            self.is_resumed, self.is_restarted = False, True
            self._read_pages(reader)

    def _read_pages(self, reader: PageReader) -> None:
        for page in reader.iter_pages(self.request, self.checkpoint):
            self._record_page(page)
        self.status = COMPLETE

    def _record_page(self, page: Page) -> None:
        self._record_time(page.date)
        if len(page.images):  # most regions of a fleet have none
            self._record_images(page)
        self.pages += 1
        self.checkpoint = page.next_token
        self.is_resumed = False

    def _record_images(self, page: Page) -> None:
        batch = convert_images(
            page.images,
            account_id=self.account_id,
            region=self.region,
            observed_at=self.observed_at,
        )
        self.batches = (*self.batches, batch)
        self.rows += len(batch)

    def _record_time(self, date_header: str | None) -> None:
        if self.observed_at is None:
            self.observed_at, self.refused_date = choose_response_time(date_header)

    def _is_region_open(self, account_session: AccountSession, refusal: ReadError) -> bool:
        """Return False if the region is not opted in; if it does not exist, tell the refusal."""
        try:
            regions = account_session.list_regions()
        except FastLaunchError:
            return True
        if self.region not in regions:
            hint = did_you_mean(str(self.region), regions)
            refusal.remedy = f"{refusal.remedy} AWS lists no region {self.region!r}.{hint}"
        return regions.get(str(self.region), True)
