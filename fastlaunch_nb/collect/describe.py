"""Reading: one account and region, as a frame."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fastlaunch_nb.aws.clients import AccountSession, open_session, region_of
from fastlaunch_nb.aws.fast_launch_pages import MAX_PAGE_SIZE, read_fast_launch_images
from fastlaunch_nb.errors import FastLaunchError, InputError, ReadError, warn
from fastlaunch_nb.filters.filters import Filters
from fastlaunch_nb.sources.pages import empty_images, from_pages
from fastlaunch_nb.validation import check_image_ids, check_region, parse_api_filters

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
) -> pd.DataFrame:
    """Read the Fast Launch images of one account and region.

    The parameters are those of boto3's paginator ``describe_fast_launch_images``,
    with the same meaning. Needs ``ec2:DescribeFastLaunchImages``.

    Parameters
    ----------
    session : boto3.Session, optional
        Whose credentials to use; boto3's default session if not given.
    region : str, optional
        The region to ask; the session's own if not given.
    image_ids : str or iterable of str, optional
        ImageIds: read these AMIs only.
    filters : Filters, dict or list of dict, optional
        Filters: ``state``, ``owner-id`` and ``resource-type``, as a dict such as
        ``{"state": ["enabled"]}`` or in boto3's form. What a
        :class:`fastlaunch_nb.Filters` says beyond that is applied to the rows
        that EC2 returns.
    dry_run : bool, default False
        DryRun: ask only whether the read is allowed. The frame is empty.
    max_items : int, optional
        MaxItems: read no more rows than this.
    page_size : int, optional
        PageSize: rows a request, at most 200. Not together with `image_ids`.
    starting_token : str, optional
        StartingToken: go on where ``attrs["next_token"]`` of an earlier frame
        stopped, with the same image ids and filters.

    Returns
    -------
    pandas.DataFrame
        A row an image, with the columns of :func:`fastlaunch_nb.from_pages`, in
        EC2's order. ``attrs["next_token"]`` continues exactly where this read
        stopped; None when there is no more.

    Raises
    ------
    InputError
        Something asked can not be asked. Nothing was sent.
    SetupError
        There is no region, there are no credentials, or a login has expired.
    ReadError
        AWS refused, or did not answer. A dry run that is not allowed ends here too.

    Warns
    -----
    FastLaunchWarning
        The account's id could not be read, and is null; or a state that was asked
        for is not known.

    Examples
    --------
    >>> import fastlaunch_nb as fl
    >>> with fl.demo():
    ...     images = fl.describe(region="eu-west-1", filters={"state": ["enabled-failed"]})
    >>> images["state"].unique().tolist()
    ['enabled-failed']
    """
    paging = _paging(max_items, page_size, starting_token)
    request, local = as_request(filters, image_ids)
    if page_size is not None and "ImageIds" in request:
        raise InputError(
            "page_size was given together with image ids. EC2 does not page a read of named "
            "images: leave page_size out."
        )
    session = open_session(session)
    region = region_of(session, region)
    check_region(region)
    access = AccountSession(session, home=region)
    if dry_run:
        return _dry_run(access, region, request)
    reading = read_fast_launch_images(access, region, request, **paging)
    page = {**reading.first_response, "FastLaunchImages": reading.items}
    images = from_pages(page, account_id=_account_id(access), region=region)
    images = local.apply(images)
    images.attrs["next_token"] = reading.next_token
    return images


def _dry_run(access: AccountSession, region: str, request: Mapping[str, Any]) -> pd.DataFrame:
    try:
        read_fast_launch_images(access, region, {**request, "DryRun": True})
    except ReadError as error:
        if error.code != "DryRunOperation":
            raise
    return empty_images()


def _account_id(access: AccountSession) -> str | None:
    try:
        return access.account_id()
    except FastLaunchError as error:
        warn(f"account_id is null: {error}")
        return None


def as_request(filters: Any, image_ids: Any = None) -> tuple[dict[str, Any], Filters]:
    """Return the parameters for EC2, and what is left to do here."""
    request: dict[str, Any] = {}
    local = Filters()
    if isinstance(filters, Filters):
        filters.check_answerable()
        request, local = filters.to_request(), filters.client_side()
    elif filters is not None:
        request["Filters"] = parse_api_filters(filters)
    if image_ids is not None:
        if "ImageIds" in request:
            raise InputError("image_ids was given twice: by itself, and in filters. Give it once.")
        request["ImageIds"] = check_image_ids(image_ids)
    return request, local


def _paging(max_items: Any, page_size: Any, starting_token: Any) -> dict[str, Any]:
    if starting_token is not None and (
        not isinstance(starting_token, str) or not starting_token.strip()
    ):
        raise InputError(
            f"starting_token is a {type(starting_token).__name__}, or empty. Expected the text of "
            "attrs['next_token'], or None to start from the beginning."
        )
    return {
        "max_items": _size("max_items", max_items),
        "page_size": _size("page_size", page_size, at_most=MAX_PAGE_SIZE),
        "starting_token": starting_token,
    }


def _size(name: str, value: Any, at_most: int | None = None) -> int | None:
    if value is None:
        return None
    try:
        size = operator.index(value)
    except TypeError:
        size = -1
    if size < 0 or isinstance(value, bool) or (at_most is not None and size > at_most):
        limit = f"from 0 to {at_most}" if at_most is not None else "of 0 or more"
        raise InputError(f"{name} is {value!r}. Expected a whole number {limit}.")
    return size
