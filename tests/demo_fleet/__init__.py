"""Tests of `fastlaunch_nb/demo_fleet`."""
