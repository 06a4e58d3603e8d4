"""The dashboard: reads a fleet again and again, and shows the panel with all that may be read."""
