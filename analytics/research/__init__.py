"""For researchers: pseudonymous series of those who consented, as a data frame."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analytics.research.ledger import ExportRecord, exports_of
    from analytics.research.study import Study, open_study
else:
    _WHERE = {
        "ExportRecord": "ledger",
        "exports_of": "ledger",
        "Study": "study",
        "open_study": "study",
    }

    def __getattr__(name: str) -> object:
        # When it is asked for: the server wants a few words of this package, and none of its frames.
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


__all__ = ["ExportRecord", "Study", "exports_of", "open_study"]
