"""Tests of `fastlaunch_nb/filters`."""
