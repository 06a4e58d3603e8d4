"""What the panel looks like: a sheet for its live form, and what the stored one has of it.

Colours are those of the page around it, thinned: so it fits light and dark
themes alike. What is narrow is told by its own width, not the window's.
"""

from __future__ import annotations

from typing import Final

from fastlaunch_nb.charts.style import STATE_STYLES

LINE = "color-mix(in srgb, currentColor 18%, transparent)"
_FAINT = "color-mix(in srgb, currentColor 8%, transparent)"
_FOCUS = "#2b8fd9"
_STATES = "".join(
    f".fl-panel .fl-{state} {{ border-left-color: {look.colour} !important; }}\n"
    for state, look in STATE_STYLES.items()
)
COMMON: Final = f"""
.fl-panel {{ font-size: 13px; }}
.fl-panel .fl-summary {{ font-size: 14px; line-height: 1.6; }}
.fl-panel .fl-demo {{ margin-left: 10px; padding: 1px 8px; border-radius: 9px;
  background: {LINE}; font-size: 12px; white-space: nowrap; }}
.fl-panel small {{ opacity: 0.8; font-size: 11px; }}
.fl-panel .fl-number {{ text-align: right !important; font-variant-numeric: tabular-nums; }}
.fl-panel .fl-empty {{ margin: 8px 4px; line-height: 1.5; }}
"""
STYLE: Final = f"""<style>{COMMON}
.fl-panel {{ width: 100%; container: fl-panel / inline-size; }}
.fl-panel .fl-head {{ gap: 4px 12px; }}
.fl-panel .fl-search {{ flex: 1 1 240px; max-width: 420px; }}
.fl-panel .fl-chips {{ gap: 4px; margin: 4px 0 0; max-height: 96px; overflow: auto; }}
.fl-panel .fl-chip {{ height: 26px; line-height: 24px; padding: 0 10px; border-radius: 13px;
  border: 1px solid {LINE}; background: {_FAINT}; color: inherit; max-width: 100%;
  overflow: hidden; text-overflow: ellipsis; }}
.fl-panel .fl-body {{ display: flex; gap: 16px; align-items: flex-start; margin-top: 8px;
  overflow: visible; }}
.fl-panel .fl-side {{ flex: 0 0 232px; gap: 10px; max-height: 800px; overflow: auto; }}
.fl-panel .fl-views {{ flex: 1 1 0; min-width: 0; }}
.fl-panel .lm-TabBar-tab {{ color: var(--jp-ui-font-color1, inherit) !important; }}
.fl-panel .fl-facet, .fl-panel .fl-range {{ flex: none; border: 1px solid {LINE};
  border-radius: 6px; padding: 6px 10px; overflow: hidden; }}
.fl-panel h4 {{ margin: 0; font-size: 13px; line-height: 1.5; }}
.fl-panel .fl-find {{ width: auto; margin: 2px 0; }}
.fl-panel .fl-values {{ overflow: hidden; }}
.fl-panel .fl-values > * {{ height: auto; min-height: 24px; margin: 0 0 1px; padding-left: 6px;
  border-left: 4px solid transparent; }}
.fl-panel .fl-values label {{ display: flex; flex: 1; line-height: 1.4; white-space: normal;
  overflow: visible; cursor: pointer; }}
.fl-panel .fl-values input {{ flex: none; align-self: start; margin: 3px 8px 0 0; }}
.fl-panel .fl-values label > span {{ flex: 1; min-width: 0; display: flex; gap: 6px; }}
.fl-panel .fl-values label > span > span:first-child {{ flex: 1; min-width: 0;
  overflow-wrap: anywhere; }}
.fl-panel .fl-count {{ font-variant-numeric: tabular-nums; opacity: 0.8; }}
.fl-panel .fl-none label > span {{ opacity: 0.62; }}
.fl-panel .fl-more {{ margin: 0; font-size: 12px; opacity: 0.85; line-height: 1.4; }}
.fl-panel .fl-hidden {{ display: none; }}
.fl-panel .fl-tools {{ gap: 4px 8px; }}
.fl-panel .fl-columns {{ gap: 0 14px; padding: 4px 8px; border: 1px solid {LINE};
  border-radius: 6px; }}
.fl-panel .fl-hint {{ margin: 0 0 4px; font-size: 12px; line-height: 1.4; opacity: 0.85; }}
.fl-panel :is(button, input, select, [tabindex]):focus-visible {{
  outline: 2px solid {_FOCUS} !important; outline-offset: -1px; }}
{_STATES}.fl-panel table {{ border-collapse: collapse; width: 100%; margin: 0; font-size: 13px;
  line-height: 1.35; }}
.fl-panel th, .fl-panel td {{ max-width: none; text-align: left !important; vertical-align: top;
  padding: 5px 10px 5px 4px !important; border-bottom: 1px solid {LINE}; white-space: nowrap; }}
.fl-panel th button {{ padding: 0; border: none; background: none; color: inherit; font: inherit;
  cursor: pointer; }}
.fl-panel th button:hover {{ text-decoration: underline; }}
.fl-panel td > div {{ width: max-content; max-width: 210px; white-space: normal;
  overflow-wrap: anywhere; }}
.fl-panel td > .fl-long {{ width: auto; min-width: 260px; max-width: 460px; }}
.fl-panel .fl-page {{ overflow-x: auto; }}
.fl-panel .fl-page :is(th, td):first-child {{ position: sticky; left: 0; z-index: 1;
  background-color: var(--dt-html-background); }}
.fl-panel .fl-cut {{ display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  overflow: hidden; }}
.fl-panel .selected .fl-cut {{ -webkit-line-clamp: none; }}
.fl-panel .fl-high {{ color: #d55e00; }}
.fl-panel .fl-medium {{ color: #e69f00; }}
.fl-panel .fl-low {{ color: #56b4e9; }}
.fl-panel .fl-plot {{ width: 100%; overflow: hidden; }}
.fl-panel .fl-plot .main-svg > :not(.hoverlayer) text {{ fill: currentColor !important;
  opacity: 0.85; }}
.fl-panel .fl-pager {{ gap: 8px; margin-top: 4px; }}
.fl-panel .fl-code {{ font-family: var(--jp-code-font-family, monospace);
  margin: 4px 0; padding: 10px 12px; border-radius: 6px; font-size: 12px;
  line-height: 1.5; overflow: auto; background: {_FAINT}; color: inherit; }}
@container fl-panel (max-width: 760px) {{
  .fl-panel .fl-body {{ flex-direction: column; align-items: stretch; }}
  .fl-panel .fl-side {{ flex: none; flex-direction: row; max-height: 190px;
    align-items: flex-start; }}
  .fl-panel .fl-side > * {{ flex: 0 0 210px; overflow: auto; }}
  .fl-panel .fl-views {{ flex: none; width: auto; max-width: 100%; }}
}}
</style>"""
