"""Why an image should be looked at, in words."""

from getam_core.review.evidence import Verdict

SURE = 0.5  # probability from which a class counts as found, below which a label is denied
SAME = 0.5  # agreement below which two label maps count as different


def reason(
    denied: Verdict | None,
    found: Verdict | None,
    label_agreement: float | None,
    flip_agreement: float | None,
) -> str:
    """Say what speaks against an image's labels, the classifier first.

    Parameters
    ----------
    denied, found : Verdict or None
        On the label that the network is least sure of, and on the class that it is surest of among
        those that are not labels of the image.
    label_agreement, flip_agreement : float or None
        0..1, as in `Evidence`.
    """
    said = []
    if denied is not None and denied.probability < SURE:
        said.append(f"labelled {denied.name}, which the network denies ({_sure(denied)})")
    if found is not None and found.probability >= SURE:
        said.append(f"not labelled {found.name}, which the network finds ({_sure(found)})")
    if label_agreement is not None and label_agreement < SAME:
        said.append(f"pseudo label and prediction agree on {_percent(label_agreement)}")
    if flip_agreement is not None and flip_agreement < SAME:
        agreed = _percent(flip_agreement)
        said.append(f"predictions of the image and of its mirror image agree on {agreed}")
    return "; ".join(said) or "nothing stands out"


def _sure(verdict: Verdict) -> str:
    area = "" if verdict.area is None else f", {_percent(verdict.area)} of the image"
    return f"{_percent(verdict.probability)} sure{area}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
