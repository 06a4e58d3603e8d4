"""Tests of `fastlaunch_nb/collect`."""
