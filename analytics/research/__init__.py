"""For researchers: pseudonymous series of those who consented, as a data frame."""

from analytics.research.ledger import ExportRecord, exports_of
from analytics.research.study import Study, open_study

__all__ = ["ExportRecord", "Study", "exports_of", "open_study"]
