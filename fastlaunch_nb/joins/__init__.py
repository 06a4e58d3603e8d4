"""Joins: columns from other operations of AWS, added to images. No join adds or drops a row."""
