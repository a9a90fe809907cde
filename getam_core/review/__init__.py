"""Which training images to look at first: those whose labels the trained network contradicts.

Reading order: `evidence` (what a run's stores say of each image), `suspicion` (that as one number),
`reasons` (the same in words), `table` (review.csv), `page` (review.html). Nothing here reads ground
truth.
"""

from getam_core.review.evidence import Evidence, Verdict, gather
from getam_core.review.page import suspects, write_review
from getam_core.review.suspicion import rank
from getam_core.review.table import Row, write_rows

__all__ = ["Evidence", "Row", "Verdict", "gather", "rank", "suspects", "write_review", "write_rows"]
