"""Tests of `fastlaunch_nb/state_intervals`."""
