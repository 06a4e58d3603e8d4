"""State intervals: computed from observations and coverage, on any engine that narwhals knows."""
