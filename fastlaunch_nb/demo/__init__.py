"""The demo: a fleet with a past in the embedded EC2, and the way boto3 finds it."""

from fastlaunch_nb.demo.running import Demo, demo, need_extra

__all__ = ["Demo", "demo", "need_extra"]
