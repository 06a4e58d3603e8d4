"""The accounts and regions of the demo fleet."""

from __future__ import annotations

ACCOUNTS = {"123456789012": "build-farm", "111122223333": "game-servers"}
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
