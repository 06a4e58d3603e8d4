"""Everything that touches boto3 and botocore: sessions, targets, read-only clients, paging, errors.

The only importer of both. :data:`READ_ONLY` lists every AWS operation the
toolkit calls; a client of ours has no method beyond those.
"""

from fastlaunch_nb.aws.accounts import (
    Source,
    Target,
    Vault,
    identify,
    is_source,
    name_of,
    portable,
    sources,
    targets,
)
from fastlaunch_nb.aws.asking import Answer, Asker
from fastlaunch_nb.aws.clients import (
    READ_ONLY,
    Access,
    iam_action,
    in_partition,
    keyed_session,
    named_session,
    open_session,
    partition_of,
    region_of,
    swap_default_session,
)
from fastlaunch_nb.aws.reading import (
    EXPIRED_TOKEN,
    MAX_PAGE_SIZE,
    NOT_OPEN,
    Page,
    Reader,
    Reading,
    read_fast_launch_images,
)

__all__ = [
    "EXPIRED_TOKEN",
    "MAX_PAGE_SIZE",
    "NOT_OPEN",
    "READ_ONLY",
    "Access",
    "Answer",
    "Asker",
    "Page",
    "Reader",
    "Reading",
    "Source",
    "Target",
    "Vault",
    "iam_action",
    "identify",
    "in_partition",
    "is_source",
    "keyed_session",
    "name_of",
    "named_session",
    "open_session",
    "partition_of",
    "portable",
    "read_fast_launch_images",
    "region_of",
    "sources",
    "swap_default_session",
    "targets",
]
