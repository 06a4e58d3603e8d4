"""Sources: pages and events, in the shapes in which people have them, become DataFrames."""
