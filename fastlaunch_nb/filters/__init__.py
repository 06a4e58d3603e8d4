"""Filters: select images, count the rows of each value, write the selection as code."""
