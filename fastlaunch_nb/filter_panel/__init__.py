"""The filter panel: controls, linked views, and what stands where no kernel runs."""
