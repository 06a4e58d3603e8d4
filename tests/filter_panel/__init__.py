"""Tests of `fastlaunch_nb/filter_panel`."""
