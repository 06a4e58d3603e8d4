"""Tests of `fastlaunch_nb/rules`."""
