"""Tests of `fastlaunch_nb/sources`."""
