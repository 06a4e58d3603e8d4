"""Sources: pages and events, as Python values, JSON or files, converted to DataFrames."""
