"""``sweep``: the Fast Launch images of many accounts and regions, read at once."""

from __future__ import annotations

import inspect
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.aws.read_limits import parse_timeout, parse_workers
from fastlaunch_nb.aws.targets import Target
from fastlaunch_nb.collect.plan import Plan
from fastlaunch_nb.collect.result import Sweep, format_failures
from fastlaunch_nb.collect.scheduler import SweepScheduler
from fastlaunch_nb.collect.tasks import RegionScan
from fastlaunch_nb.collect.workers import runs_in_process
from fastlaunch_nb.errors import InputError, SweepError
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.frames import is_frame
from fastlaunch_nb.schema.arrow import concat_batches, make_coverage
from fastlaunch_nb.schema.columns import KEY, TEXT
from fastlaunch_nb.sources.pages import warn_of_refused_dates

if TYPE_CHECKING:
    from threading import Event

    import boto3


def sweep(
    targets: Target | boto3.Session | Iterable[Target | boto3.Session] | None = None,
    *,
    regions: str | Iterable[str] | None = None,
    filters: Filters | Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
    executor: futures.Executor | None = None,
    max_workers: int = 32,
    progress: bool | Callable[[int, int], object] | None = None,
    strict: bool = False,
    resume: Sweep | IntoDataFrame | None = None,
    timeout: float | None = None,
    stop: Event | None = None,
) -> Sweep:
    """Read the Fast Launch images of many accounts and regions at once.

    A read that fails becomes a row of the coverage; the others go on. Needs
    ``ec2:DescribeFastLaunchImages``; without `regions`, ``ec2:DescribeRegions``;
    for roles, ``sts:AssumeRole``.

    Parameters
    ----------
    targets : Target or boto3.Session, or iterable of them, optional
        The accounts, as :func:`fastlaunch_nb.targets` lists them; by default the
        account of boto3's default session.
    regions : str or iterable of str, optional
        The regions; each account is read in those of its own partition. By
        default all that the account has enabled; the coverage lists the others too.
    filters : Filters, dict or list of dict, optional
        As for :func:`fastlaunch_nb.describe`.
    executor : concurrent.futures.Executor, optional
        The workers: by default threads of this process; or your own executor, such
        as a ``ProcessPoolExecutor`` or the result of ``get_executor()`` of a Dask
        client. It stays open.
    max_workers : int, default 32
        How many reads may run at once, at most 1,000. The workers of an executor outside
        this process share them; if their number is unknown, each does 16 at once.
    progress : bool or callable, optional
        Whether to show a progress bar on stderr; by default only in a notebook and
        in a terminal. A callable gets ``progress(done, total)`` instead, from the
        thread that called `sweep`: with 0 before the first request, then each time
        an account has been opened or a region has been read, successfully or not.
        The total grows as accounts are opened, because their regions count from
        then on.
    strict : bool, default False
        Raise an error that names every failure, if there is one.
    resume : Sweep or DataFrame, optional
        Continue an earlier sweep: read what is missing, from the page where each
        read stopped. The regions and filters stay the same. So do the targets,
        unless you pass others, such as sessions with new credentials, for some or
        all of the accounts. Of an earlier sweep whose coverage you saved, pass that table and
        the targets: the result has the missing rows only.
    timeout : float, optional
        Seconds that a read of an account and region may take from one whole page to the
        next; by default 180. After three accounts in a row that took longer in a region,
        the rest of that region fails at once, with the error code ``Unresponsive``.
    stop : threading.Event, optional
        Ends the sweep when another thread sets it, as Ctrl-C does.

    Returns
    -------
    Sweep
        With ``images``, ``coverage``, ``failures``, ``sweep_id``,
        ``started_at`` and ``finished_at``. Images are in the order of the targets,
        then by region, then in EC2's order. Ctrl-C returns, within a second, the rows of
        the pages that have come.

    Raises
    ------
    InputError
        If an argument is invalid. No request is sent.
    SweepError
        With `strict`, if anything could not be read. Its ``sweep`` has the rest.

    Warns
    -----
    FastLaunchWarning
        If two targets lead to the same account, which is read once; and if AWS's clock is more
        than 10 minutes ahead of this machine's, whose time then counts.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo() as demo:
    ...     accounts = fl.targets(profiles=demo.accounts.values())
    ...     found = fl.sweep(accounts, regions=demo.regions, progress=False)
    >>> found
    Sweep: 42 images, 6 complete
    """
    _check_arguments(executor, progress, strict, resume, stop)
    workers, seconds = parse_workers(max_workers), parse_timeout(timeout)
    earlier = resume if isinstance(resume, Sweep) else None
    if resume is None:
        plan = Plan.create(targets, regions, filters)
    elif regions is not None or filters is not None:
        raise InputError(
            "resume keeps the regions and filters of the earlier sweep: leave them out."
        )
    elif earlier:
        plan = Plan.resume(earlier, targets)
    else:
        plan = Plan.resume_coverage(resume, targets)
    if executor is not None and not runs_in_process(executor):
        plan = plan.make_portable()
    started_at = _now()
    scheduler = SweepScheduler(
        [replace(task, timeout=seconds) for task in plan.account_tasks],
        plan.earlier_scans,
        replace(plan.create_scan(), timeout=seconds),
        executor,
        workers,
        progress=progress,
        stop=stop,
    )
    scans = plan.finish(scheduler.run())
    warn_of_refused_dates(scan.refused_date for scan in scans)
    result = _create_sweep(plan, scans, started_at, earlier)
    if strict and len(result.failures):
        raise SweepError("\n".join(format_failures(result.failures)), result)
    return result


def _check_arguments(executor: Any, progress: Any, strict: Any, resume: Any, stop: Any) -> None:
    if executor is not None and not isinstance(executor, futures.Executor):
        raise InputError(
            f"executor is a {type(executor).__name__}. Expected a concurrent.futures.Executor, "
            "such as ProcessPoolExecutor(); for a Dask client, its get_executor()."
        )
    if progress is not None and not isinstance(progress, bool) and not _accepts_two(progress):
        raise InputError(
            f"progress is {progress!r}. Expected True, False, None, or a function that can be "
            "called as progress(done, total)."
        )
    if not isinstance(strict, bool):
        raise InputError(f"strict is {strict!r}. Expected True or False.")
    if resume is not None and not isinstance(resume, Sweep) and not is_frame(resume):
        raise InputError(
            f"resume is a {type(resume).__name__}. Expected a Sweep, or the coverage of one."
        )
    if stop is not None and not callable(getattr(stop, "is_set", None)):
        raise InputError(f"stop is a {type(stop).__name__}. Expected a threading.Event.")


def _accepts_two(function: Any) -> bool:
    """Return True if a function can be called with two numbers."""
    try:
        inspect.signature(function).bind(0, 0)
    except TypeError:
        return False
    except ValueError:  # functions in C may have no signature
        return True
    return True


# --- result ---------------------------------------------------------------------------


def _create_sweep(
    plan: Plan, scans: Sequence[RegionScan], began: pd.Timestamp, resume: Sweep | None
) -> Sweep:
    """Create a sweep of scans, with the images of the sweep that it resumes."""
    scans = sorted(scans, key=lambda scan: (scan.number, scan.region or ""))
    images = _merge_images(scans, plan.client_filters, resume.images if resume else None)
    if plan.client_filters:  # count only the images that match them
        counts = Counter(_iter_account_regions(images))
        scans = [replace(scan, rows=counts[scan.account_id, scan.region]) for scan in scans]
    sweep_id = resume.sweep_id if resume else f"{began:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    coverage = make_coverage({"sweep_id": sweep_id, **vars(scan)} for scan in scans)
    latest = max((scan.observed_at for scan in scans if scan.observed_at), default=began)
    coverage["observed_at"] = coverage["observed_at"].fillna(latest)
    return Sweep(
        sweep_id,
        images,
        coverage,
        resume.started_at if resume else began,
        _now(),
        [scan.target if isinstance(scan.target, Target) else None for scan in scans],
    )


def _merge_images(
    scans: Sequence[RegionScan], client_filters: Filters, earlier: pd.DataFrame | None
) -> pd.DataFrame:
    """Return the images of all scans and of an earlier sweep in scan order.

    Rows stay as AWS listed them, but a scan that was resumed, or that ended early, may have
    read a page twice: the last row of each image counts.
    """
    images = concat_batches(batch for scan in scans for batch in scan.batches)
    names = {scan.account_id: scan.account_name for scan in scans if scan.account_name}
    if names:
        images["account_name"] = images["account_id"].map(names).astype(TEXT)
    images = client_filters.apply(images)
    may_repeat = {scan.account_region for scan in scans if scan.is_incomplete}
    if earlier is not None:
        restarted = {scan.account_region for scan in scans if scan.is_restarted}
        earlier = earlier[~_is_in(earlier, restarted)]
        may_repeat |= {*_iter_account_regions(earlier)} & {*_iter_account_regions(images)}
        images = pd.concat([earlier, images], ignore_index=True)
        order = {scan.account_region: number for number, scan in enumerate(scans)}
        ranks = [order.get(pair, len(order)) for pair in _iter_account_regions(images)]
        images = images.iloc[np.argsort(ranks, kind="stable")]
    if may_repeat:
        is_repeated = images.duplicated(list(KEY), keep="last")
        images = images[~(is_repeated & _is_in(images, may_repeat))]
    return images.reset_index(drop=True)


def _is_in(images: pd.DataFrame, account_regions: Collection[tuple[Any, Any]]) -> pd.Series:
    """Return for each row whether it is of one of these accounts and regions."""
    found = [pair in account_regions for pair in _iter_account_regions(images)]
    return pd.Series(found, images.index, dtype=bool)


def _iter_account_regions(images: pd.DataFrame) -> Iterator[tuple[str | None, str | None]]:
    return zip(images["account_id"], images["region"], strict=True)


def _now() -> pd.Timestamp:
    return pd.Timestamp.now("UTC").floor("ms").as_unit("us")
