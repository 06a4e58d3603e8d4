"""Tests of `fastlaunch_nb/live_dashboard`."""
