"""State intervals: from observations and coverage to since when and until when; narwhals, pure."""
