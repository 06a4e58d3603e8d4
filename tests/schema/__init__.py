"""Tests of `fastlaunch_nb/schema`."""
