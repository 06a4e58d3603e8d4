"""Tests of `fastlaunch_nb/history`."""
