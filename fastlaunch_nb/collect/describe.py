"""``describe``: the Fast Launch images of one account and region as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.fast_launch_pages import MAX_PAGE_SIZE, Images, PageReader
from fastlaunch_nb.aws.read_limits import TimeLimit, parse_timeout
from fastlaunch_nb.aws.sessions import open_session, resolve_region
from fastlaunch_nb.errors import FastLaunchError, InputError, ReadError, warn
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.number_checks import parse_count
from fastlaunch_nb.schema.arrow import Batch, concat_batches, convert_to_batch, make_batch
from fastlaunch_nb.sources.pages import (
    choose_response_time,
    empty_images,
    from_pages,
    warn_of_refused_dates,
)
from fastlaunch_nb.validation import (
    check_account_id,
    check_region,
    parse_api_filters,
    parse_image_ids,
)

if TYPE_CHECKING:
    import boto3
    import pandas as pd


def describe(
    session: boto3.Session | None = None,
    *,
    region: str | None = None,
    image_ids: str | Iterable[str] | None = None,
    filters: Filters | Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
    dry_run: bool = False,
    max_items: int | None = None,
    page_size: int | None = None,
    starting_token: str | None = None,
    timeout: float | None = None,
) -> pd.DataFrame:
    """Read the Fast Launch images of one account and region.

    The parameters are those of boto3's paginator ``describe_fast_launch_images``,
    with the same meaning. Needs ``ec2:DescribeFastLaunchImages``.

    Parameters
    ----------
    session : boto3.Session, optional
        The session with the credentials; by default boto3's default session.
    region : str, optional
        The region to read; by default the session's.
    image_ids : str or iterable of str, optional
        ImageIds: read these AMIs only.
    filters : Filters, dict or list of dict, optional
        Filters: ``state``, ``owner-id`` and ``resource-type``, as a dict such as
        ``{"state": ["enabled"]}`` or in boto3's form. Conditions of a
        :class:`fastlaunch_nb.Filters` that EC2 does not support are applied to
        the rows that it returns.
    dry_run : bool, default False
        DryRun: only check whether the read is allowed. The DataFrame is empty.
    max_items : int, optional
        MaxItems: read no more rows than this.
    page_size : int, optional
        PageSize: rows per request, at most 200. Not together with `image_ids`.
    starting_token : str, optional
        StartingToken: continue where ``attrs["next_token"]`` of an earlier
        DataFrame stopped, with the same image ids and filters.
    timeout : float, optional
        Seconds that the read may take from one whole page to the next; by default 180.

    Returns
    -------
    pandas.DataFrame
        One row per image, with the columns of :func:`fastlaunch_nb.from_pages`, in
        EC2's order. ``attrs["next_token"]`` continues exactly where this read
        stopped; None if there is nothing more to read.

    Raises
    ------
    InputError
        If an argument is invalid. No request is sent.
    SetupError
        If there is no region or no credentials, or if a login has expired.
    ReadError
        If AWS refuses the request or does not answer in time, and if a dry run is not allowed.

    Warns
    -----
    FastLaunchWarning
        If the account id cannot be read and is null, and if a state in `filters`
        is unknown.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo():
    ...     images = fl.describe(region="eu-west-1", filters={"state": ["enabled-failed"]})
    >>> images["state"].unique().tolist()
    ['enabled-failed']
    """
    paging = _check_paging(max_items, page_size, starting_token)
    request, client_filters = split_filters(filters, image_ids)
    if page_size is not None and "ImageIds" in request:
        raise InputError(
            "page_size was given together with image ids. EC2 does not page a read of named "
            "images: leave page_size out."
        )
    limit = TimeLimit(parse_timeout(timeout))
    session = open_session(session)
    region = resolve_region(session, region)
    check_region(region)
    account_session = AccountSession(session, home=region)
    with limit.watch():
        reader = PageReader(account_session, region)
        if dry_run:
            return _check_permission(reader, request)
        result = reader.read(request, **paging)
        account_id = _read_account_id(account_session)
    check_account_id(account_id)
    observed_at, refused = choose_response_time(result.pages[0].date)
    warn_of_refused_dates([refused])
    known = {"account_id": account_id, "region": region, "observed_at": observed_at}
    batches = [convert_images(page.images, **known) for page in result.pages]
    images = client_filters.apply(concat_batches(batches))
    images.attrs["next_token"] = result.next_token
    return images


def convert_images(images: Images, **known: Any) -> Batch:
    """Convert the images of a page to a batch, with their account, region and time."""
    try:
        return make_batch(images, **known)
    except (TypeError, ValueError, OverflowError):  # which from_pages explains
        return convert_to_batch(from_pages({"FastLaunchImages": images}, **known))


def _read_account_id(account_session: AccountSession) -> str | None:
    """Return the id of the account; warn and return None if it cannot be read."""
    try:
        return account_session.get_account_id()
    except FastLaunchError as error:
        warn(f"account_id is null: {error}")
        return None


def _check_permission(reader: PageReader, request: Mapping[str, Any]) -> pd.DataFrame:
    """Return an empty DataFrame if a dry run is allowed."""
    try:
        reader.read({**request, "DryRun": True})
    except ReadError as error:
        if error.code != "DryRunOperation":
            raise
    return empty_images()


def split_filters(filters: Any, image_ids: Any = None) -> tuple[dict[str, Any], Filters]:
    """Return the parameters for EC2, and the filters that it does not support."""
    request: dict[str, Any] = {}
    client_filters = Filters()
    if isinstance(filters, Filters):
        filters.check_answerable()
        request, client_filters = filters.to_request(), filters.client_side()
    elif filters is not None:
        request["Filters"] = parse_api_filters(filters)
    if image_ids is not None:
        if "ImageIds" in request:
            raise InputError("image_ids was given twice: as an argument and in filters. Pass one.")
        request["ImageIds"] = parse_image_ids(image_ids)
    return request, client_filters


def _check_paging(max_items: Any, page_size: Any, starting_token: Any) -> dict[str, Any]:
    if starting_token is not None and (
        not isinstance(starting_token, str) or not starting_token.strip()
    ):
        raise InputError(
            f"starting_token is a {type(starting_token).__name__}, or empty. Expected the text of "
            "attrs['next_token'], or None to start from the beginning."
        )
    return {
        "max_items": None if max_items is None else parse_count("max_items", max_items),
        "page_size": (
            None if page_size is None else parse_count("page_size", page_size, most=MAX_PAGE_SIZE)
        ),
        "starting_token": starting_token,
    }
