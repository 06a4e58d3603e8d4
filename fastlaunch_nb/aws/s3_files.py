"""Files in a bucket of S3, by the road of all other requests: credentials, endpoint and limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final, NamedTuple

from botocore.exceptions import IncompleteReadError, ResponseStreamingError

from fastlaunch_nb.aws.clients import AccountSession
from fastlaunch_nb.aws.error_translation import translate_botocore_errors
from fastlaunch_nb.aws.read_limits import DEFAULT_TIMEOUT, TimeLimit, limit_pages
from fastlaunch_nb.aws.targets import AccountCache, Target, TargetLike
from fastlaunch_nb.errors import ReadError

TIMEOUT: Final = DEFAULT_TIMEOUT  # seconds for a page of a listing, or for a file
_READS: Final = 3  # of a file whose answer breaks off, which botocore does not repeat


class S3File(NamedTuple):
    """A file: its key, and its size in bytes."""

    key: str
    size: int


class S3Files:
    """The files of a bucket, as a target may read and write them; thread-safe."""

    def __init__(self, bucket: str, target: TargetLike | None = None, *, connections: int) -> None:
        self._bucket, self._target = bucket, target or Target()
        self._connections = connections

    @cached_property
    def _account_session(self) -> AccountSession:
        return AccountCache(self._connections).open(self._target)

    @cached_property
    def _client(self) -> Any:
        return self._account_session.create_store_client("s3")

    @contextmanager
    def _request(self, operation: str) -> Iterator[Any]:
        """Yield a client for an operation, within the time limit."""
        with TimeLimit(TIMEOUT).watch():
            session = self._account_session.session  # it has the secrets to remove, and a profile
            with translate_botocore_errors(operation, None, session, service="s3"):
                yield self._client

    def list(self, prefix: str) -> list[S3File]:
        """Return the files whose keys begin with a prefix."""
        with self._request("ListObjectsV2") as client:
            paginator = client.get_paginator("list_objects_v2")
            pages = paginator.paginate(Bucket=self._bucket, Prefix=prefix)
            return [
                S3File(entry["Key"], entry["Size"])
                for page in limit_pages(pages, next_key="NextContinuationToken")
                for entry in page.get("Contents", ())
            ]

    def read(self, key: str) -> bytes:
        """Return the content of a file; raise FileNotFoundError if it is not there."""
        try:
            with self._request("GetObject") as client:
                return self._read_whole(client, key)
        except ReadError as error:
            if error.code in ("NoSuchKey", "404"):
                raise FileNotFoundError(key) from None
            raise

    def _read_whole(self, client: Any, key: str) -> bytes:
        for left in reversed(range(_READS)):
            try:
                content: bytes = client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
                break
            except (IncompleteReadError, ResponseStreamingError):
                if not left:
                    raise
        return content

    def write(self, key: str, content: Any) -> None:
        """Write a file: completely, or not at all."""
        with self._request("PutObject") as client:
            client.put_object(Bucket=self._bucket, Key=key, Body=bytes(content))

    def remove(self, key: str) -> None:
        """Remove a file, if it is there."""
        with self._request("DeleteObject") as client:
            client.delete_object(Bucket=self._bucket, Key=key)
