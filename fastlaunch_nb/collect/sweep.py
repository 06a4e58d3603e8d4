"""Reading many accounts and regions at once: what is to be read, and how it ends."""

from __future__ import annotations

import inspect
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from fastlaunch_nb.aws.targets import Target, TargetLike, portable, target_list
from fastlaunch_nb.collect.describe import as_request
from fastlaunch_nb.collect.result import Sweep, failure_lines
from fastlaunch_nb.collect.scheduler import SweepScheduler, runs_in_process
from fastlaunch_nb.collect.tasks import AccountTask, RegionScan
from fastlaunch_nb.errors import InputError, SweepError
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.schema.arrow import concat_batches, make_coverage
from fastlaunch_nb.schema.columns import KEY, TEXT
from fastlaunch_nb.validation import check_regions, check_workers

if TYPE_CHECKING:
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
    resume: Sweep | None = None,
) -> Sweep:
    """Read the Fast Launch images of many accounts and regions at once.

    What fails is a row of the coverage, and takes nothing else with it. Needs
    ``ec2:DescribeFastLaunchImages``; where `regions` is not given,
    ``ec2:DescribeRegions``; for roles, ``sts:AssumeRole``.

    Parameters
    ----------
    targets : Target or boto3.Session, or iterable of them, optional
        The accounts, as :func:`fastlaunch_nb.targets` lists them; the account
        of boto3's default session if not given.
    regions : str or iterable of str, optional
        The regions; of each account those in its own partition. If not given,
        all that the account has enabled; the others are in the coverage too.
    filters : Filters, dict or list of dict, optional
        As :func:`fastlaunch_nb.describe` takes them.
    executor : concurrent.futures.Executor, optional
        Who does the reading: threads of this process if not given, else an
        executor of yours, such as a ``ProcessPoolExecutor`` or what the
        ``get_executor()`` of a Dask client returns. It stays open.
    max_workers : int, default 32
        How many reads may be under way at once.
    progress : bool or callable, optional
        Whether to show a progress bar on stderr; if not given, where a person
        is watching: in a notebook and in a terminal. A callable is called
        instead, as ``progress(done, total)``, by the thread that called
        `sweep`: with 0 before anything is sent, then each time an account has
        been opened or a region of it read, whether that went well or not. The
        total grows as accounts are opened: only then their regions count.
    strict : bool, default False
        Raise an error that names every failure, if there is one.
    resume : Sweep, optional
        Go on with an earlier sweep: read what it could not, from where each
        read broke off. It keeps its regions and filters, and its targets too
        unless others are given, such as sessions with fresh credentials, for
        all of the accounts or for some.

    Returns
    -------
    Sweep
        With ``images``, ``coverage``, ``failures``, ``sweep_id``,
        ``started_at``, ``finished_at``. Images come in the order of the targets,
        then by region, then in EC2's order. Ctrl-C returns what is there.

    Raises
    ------
    InputError
        Something asked can not be asked. Nothing was sent.
    SweepError
        With `strict`: something could not be read. Its ``sweep`` has the rest.

    Warns
    -----
    FastLaunchWarning
        Two targets lead to the same account, which is read once.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo() as demo:
    ...     accounts = fl.targets(profiles=demo.accounts.values())
    ...     found = fl.sweep(accounts, regions=demo.regions, progress=False)
    >>> found
    Sweep: 42 images, 6 complete
    """
    _check(executor, max_workers, progress, strict, resume)
    plan = _planned(targets, regions, filters) if resume is None else _resumed(
        resume, targets, regions, filters
    )  # fmt: skip
    if executor is not None and not runs_in_process(executor):
        plan = plan.portable()
    began = _now()
    course = SweepScheduler(plan.openings, plan.question(), executor, max_workers, progress)
    looks = course.run({look.key: look for look in plan.before})
    swept = _result(plan, looks, began, resume)
    if strict and len(swept.failures):
        raise SweepError("\n".join(failure_lines(swept.failures)), swept)
    return swept


def _check(executor: Any, max_workers: Any, progress: Any, strict: Any, resume: Any) -> None:
    if executor is not None and not isinstance(executor, futures.Executor):
        raise InputError(
            f"executor is a {type(executor).__name__}. Expected a concurrent.futures.Executor, "
            "such as ProcessPoolExecutor(); of a Dask client, its get_executor()."
        )
    check_workers(max_workers)
    if progress is not None and not isinstance(progress, bool) and not _takes_two(progress):
        raise InputError(
            f"progress is {progress!r}. Expected True, False, None, or what can be called as "
            "progress(done, total)."
        )
    if not isinstance(strict, bool):
        raise InputError(f"strict is {strict!r}. Expected True or False.")
    if resume is not None and not isinstance(resume, Sweep):
        raise InputError(f"resume is a {type(resume).__name__}. Expected a Sweep.")


def _takes_two(progress: Any) -> bool:
    """Tell what can be called with two numbers from all else."""
    try:
        inspect.signature(progress).bind(0, 0)
    except TypeError:
        return False
    except ValueError:  # it is written in C, and does not say
        return True
    return True


# --- what is to be read ---------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """What a sweep is to read: the accounts, and what to ask of each."""

    sources: Mapping[int, TargetLike | None]  # by number; None is a session that is not kept
    regions: tuple[str, ...] | None
    request: Mapping[str, Any]
    local: Filters
    openings: tuple[AccountTask, ...] = ()
    before: Sequence[RegionScan] = ()

    def question(self) -> RegionScan:
        """Return the look that all looks begin as."""
        here = self.local.to_dict()
        asked = {**self.request, **({"Here": here} if here else {})}
        scope = json.dumps(asked, sort_keys=True) if asked else ""
        return RegionScan(None, 0, None, request=self.request, scope=scope)

    def portable(self) -> Plan:
        """Return the same with recipes in the place of sessions, for use elsewhere."""
        openings = (replace(opening, source=portable(opening.source)) for opening in self.openings)
        return replace(self, openings=tuple(openings))

    def without_secrets(self) -> Plan:
        """Return the same without the sessions, and without what was to be done."""
        recipes = {
            number: source if isinstance(source, Target) else None
            for number, source in self.sources.items()
        }
        return replace(self, sources=recipes, openings=(), before=())


def _planned(targets: Any, regions: Any, filters: Any) -> Plan:
    sources = dict(enumerate(target_list(targets)))
    request, local = as_request(filters)
    named = None if regions is None else check_regions(regions)
    openings = tuple(
        AccountTask(source, number, named, account_id=_account_of(source))
        for number, source in sources.items()
    )
    return Plan(sources, named, request, local, openings)


def _resumed(earlier: Sweep, targets: Any, regions: Any, filters: Any) -> Plan:
    """Return what an earlier sweep left to do."""
    if regions is not None or filters is not None:
        raise InputError("resume keeps the regions and filters of that sweep: leave them out.")
    plan: Plan = earlier._plan
    left = {look.number: look.account_id for look in earlier._looks if look.is_left}
    known: dict[str, tuple[str, ...]] = {}
    for look in earlier._looks:
        if look.account_id and look.region:
            known[look.account_id] = (*known.get(look.account_id, ()), look.region)
    if targets is None:
        openings = [
            _reopened(plan.sources[number], number, plan.regions, known, account_id)
            for number, account_id in left.items()
        ]
        return replace(plan, openings=tuple(openings), before=earlier._looks)
    fresh = dict(enumerate(target_list(targets), max(plan.sources) + 1))
    openings = [
        AccountTask(source, number, plan.regions, known, account_id=_account_of(source))
        for number, source in fresh.items()
    ]
    return replace(plan, openings=tuple(openings if left else ()), before=earlier._looks)


def _reopened(
    source: Any,
    number: int,
    named: tuple[str, ...] | None,
    known: Mapping[str, tuple[str, ...]],
    account_id: str | None,
) -> AccountTask:
    """Return the opening of an account of which an earlier sweep knows what there is to know."""
    if source is None:
        raise InputError(
            "resume needs targets: that sweep read with a session, and keeps none. Pass it again."
        )
    own = {account_id: known[account_id]} if account_id and account_id in known else {}
    return AccountTask(source, number, named, own, account_id, account_id)


def _account_of(source: TargetLike) -> str | None:
    return source.account_id if isinstance(source, Target) else None


# --- what came of it ------------------------------------------------------------------


def _result(
    plan: Plan, looks: Sequence[RegionScan], began: pd.Timestamp, resume: Sweep | None
) -> Sweep:
    looks = sorted(looks, key=lambda look: (look.number, look.region or ""))
    sweep_id = resume.sweep_id if resume else f"{began:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    images = _images(looks, plan.local, None if resume is None else resume.images)
    if plan.local:
        looks = _counted(looks, images)
    sources = {look.number: look.source for look in looks if look.source is not None}
    plan = replace(plan, sources={**plan.sources, **sources})
    coverage = make_coverage({"sweep_id": sweep_id, **vars(look)} for look in looks)
    under_way = max((look.observed_at for look in looks if look.observed_at), default=began)
    coverage["observed_at"] = coverage["observed_at"].fillna(under_way)
    return Sweep(
        sweep_id,
        images,
        coverage,
        resume.started_at if resume else began,
        _now(),
        plan.without_secrets(),
        tuple(replace(look, source=None, batches=(), afresh=False) for look in looks),
    )


def _counted(looks: Sequence[RegionScan], images: pd.DataFrame) -> list[RegionScan]:
    """Return looks that count the images which a filter of ours has left."""
    left = Counter(zip(images["account_id"], images["region"], strict=True))
    return [replace(look, rows=left[look.account_id, look.region]) for look in looks]


def _images(
    looks: Sequence[RegionScan], local: Filters, earlier: pd.DataFrame | None
) -> pd.DataFrame:
    """Return the images of all looks, in their order; each image once."""
    images = concat_batches(batch for look in looks for batch in look.batches)
    names = {look.account_id: look.account_name for look in looks if look.account_name}
    if names:
        images["account_name"] = images["account_id"].map(names).astype(TEXT)
    images = local.apply(images)
    if earlier is not None:
        images = pd.concat([_still_good(earlier, looks), images], ignore_index=True)
        images = _in_order(images, looks)
    again = images.duplicated(list(KEY), keep="last")
    return (images[~again] if again.any() else images).reset_index(drop=True)


def _still_good(images: pd.DataFrame, looks: Sequence[RegionScan]) -> pd.DataFrame:
    """Return the rows of an earlier sweep but for those of looks that had to start anew."""
    anew = {(look.account_id, look.region) for look in looks if look.afresh}
    places = zip(images["account_id"], images["region"], strict=True)
    return images[[place not in anew for place in places]]


def _in_order(images: pd.DataFrame, looks: Sequence[RegionScan]) -> pd.DataFrame:
    order = {(look.account_id, look.region): place for place, look in enumerate(looks)}
    places = zip(images["account_id"], images["region"], strict=True)
    rank = pd.Series([order.get(place, len(order)) for place in places], index=images.index)
    return images.loc[rank.sort_values(kind="stable").index].reset_index(drop=True)


def _now() -> pd.Timestamp:
    return pd.Timestamp.now("UTC").floor("ms").as_unit("us")
