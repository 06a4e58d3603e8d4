"""The filter panel: controls, linked views, and what stands where no kernel runs.

It has no logic of its own: ``Filters`` decides, the panel shows. All of it is
ipywidgets; a range, a button that copies, a chart and a table's page are widgets
of the same kind, by anywidget, plotly and itables.
"""

from fastlaunch_nb.panel.linked import FilterPanel, panel

__all__ = ["FilterPanel", "panel"]
