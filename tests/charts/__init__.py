"""Tests of `fastlaunch_nb/charts`."""
