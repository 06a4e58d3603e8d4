"""Tests in a real browser: notebooks, charts and the panel."""
