"""Tests of `fastlaunch_nb/aws`."""
