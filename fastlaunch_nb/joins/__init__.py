"""Joins: what other operations of AWS say of images. The number of rows never changes."""
