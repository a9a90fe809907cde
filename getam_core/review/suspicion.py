"""How much speaks against an image's labels, as one number, and the rows of review.csv.

Shapes: n images, C foreground classes.
"""

from collections.abc import Sequence

import numpy as np

from getam_core.data import Entry
from getam_core.review.evidence import Evidence, Verdict
from getam_core.review.reasons import reason
from getam_core.review.table import Row


def classification_loss(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the binary cross entropy of each image, the sum over classes, (n,), in nats.

    Parameters
    ----------
    scores : (n, C) ndarray of float
        Class logits.
    targets : (n, C) ndarray of bool
    """
    against = np.where(targets, -scores, scores)
    return np.logaddexp(0, against).sum(axis=1)


def suspicion(evidence: Evidence) -> np.ndarray:
    """Return the values that images are ranked by, (n,), not negative.

    This is the classification loss, plus up to 1 each for the disagreement of pseudo label and
    prediction and for that of the prediction and its mirror image's. A wrong label costs several
    nats, so such images come first; among well classified images, those whose label maps disagree.
    """
    total = classification_loss(evidence.scores, evidence.targets)
    for same in (evidence.label_agreement, evidence.flip_agreement):
        if same is not None:
            total = total + (1 - same)
    return total


def rank(entries: Sequence[Entry], evidence: Evidence, classes: Sequence[str]) -> list[Row]:
    """Return a row for each image, the most suspicious first; ties in the order of the index.

    Parameters
    ----------
    entries : sequence of Entry
        The n images of the evidence, in its order.
    evidence : Evidence
    classes : sequence of str
        Names of the C foreground classes.
    """
    suspicions = suspicion(evidence)
    order = np.argsort(-suspicions, kind="stable")
    return [
        _row(place, entries[i], i, float(suspicions[i]), evidence, classes)
        for place, i in enumerate(order, start=1)
    ]


def _row(
    place: int,
    entry: Entry,
    i: int,
    suspicion: float,
    evidence: Evidence,
    classes: Sequence[str],
) -> Row:
    scores, labelled = evidence.scores[i], evidence.targets[i]
    denied = _verdict(np.where(labelled, -scores, -np.inf), evidence, i, classes)
    found = _verdict(np.where(labelled, -np.inf, scores), evidence, i, classes)
    agreements = [_at(each, i) for each in (evidence.label_agreement, evidence.flip_agreement)]
    said = reason(denied, found, *agreements)
    return Row(place, entry, suspicion, said, denied, found, *agreements)


def _verdict(
    preference: np.ndarray, evidence: Evidence, i: int, classes: Sequence[str]
) -> Verdict | None:
    """Return the verdict on the class of highest preference; None if all are -inf."""
    k = int(preference.argmax())
    if preference[k] == -np.inf:
        return None
    return Verdict(classes[k], float(evidence.scores[i, k]), _at(evidence.areas, i, k))


def _at(values: np.ndarray | None, *place: int) -> float | None:
    return None if values is None else float(values[place])
