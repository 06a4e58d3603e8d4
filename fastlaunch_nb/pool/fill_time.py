"""How long a preparation instance takes to make one snapshot: EC2's limit, and what is usual."""

from __future__ import annotations

from typing import Final

PREPARATION_LIMIT: Final = 1800.0
"""Seconds that EC2 gives a preparation instance before it ends all of them and the image fails.

Source: EC2 User Guide, "Troubleshoot EC2 Fast Launch". It is a limit, not a duration.
"""
DEFAULT_FILL_TIME: Final = 600.0
"""Seconds to assume for a preparation instance where nothing was measured.

AWS says "several minutes" (EC2 User Guide, "Manage costs for EC2 Fast Launch"). Reports measured
about 4 minutes (sloper-ai/cucina) and 482 seconds (packer-plugin-amazon 445).
"""
FILL_TIME_RANGE: Final = (240.0, PREPARATION_LIMIT)
"""The shortest and the longest seconds to expect: the fastest report, and EC2's limit."""
