"""Colours and sizes: contrast of at least 4.5:1 for text, 3:1 for edges, light and dark."""

from __future__ import annotations

# Warm greys and one deep teal: calm by day and by night. Colour is never the
# only sign: each state has a shape and a word (WCAG 2.2, 1.4.1).
_LIGHT = {
    "primaryColor": "#0b5f6b",
    "backgroundColor": "#f5f3ee",
    "secondaryBackgroundColor": "#ffffff",
    "textColor": "#1d2429",
    "borderColor": "#77808a",
    "linkColor": "#0b5f6b",
}
_DARK = {
    "primaryColor": "#7fd0da",
    "backgroundColor": "#14181b",
    "secondaryBackgroundColor": "#1e2428",
    "textColor": "#eceae4",
    "borderColor": "#8b959e",
    "linkColor": "#7fd0da",
}

STREAMLIT_OPTIONS: dict[str, str | bool | int | list[str]] = {
    "browser.gatherUsageStats": False,  # TRUST T4
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "logger.hideWelcomeMessage": True,
    "logger.level": "error",
    "runner.fastReruns": True,
    # A full collection after every run, of which there is one a second, is a third of the work.
    "runner.postScriptGC": False,
    # Another site's page must not reach this one under a name of its own (DNS rebinding).
    "server.allowedHosts": ["127.0.0.1", "::1", "localhost"],
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.showEmailPrompt": False,
    "theme.baseFontSize": 17,
    "theme.baseRadius": "0.5rem",
    "theme.font": "system-ui, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif",
    "theme.showWidgetBorder": True,
    **{f"theme.light.{key}": value for key, value in _LIGHT.items()},
    **{f"theme.dark.{key}": value for key, value in _DARK.items()},
}
"""Handed to Streamlit when it starts, so that no file has to lie anywhere."""
