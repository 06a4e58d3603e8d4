"""Filters: which images to keep, how many each value would keep, and the same as code."""
