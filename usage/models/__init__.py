"""One noun per file; import them from here. They point down at the ledger's rows, which know nothing of them."""

from usage.models.commit_summary import CommitSummary, SummaryState
from usage.models.usage_correction import CorrectedUsage, UsageCorrection
from usage.models.usage_event import Basis, UsageEvent, UsageStatus

__all__ = ["Basis", "CommitSummary", "CorrectedUsage", "SummaryState", "UsageCorrection", "UsageEvent", "UsageStatus"]
