"""The section of labels, for training and for the export."""

from typing import Literal

from pydantic import Field, model_validator

from getam_core.settings.base import Count, Exponent, Fraction, Section


class LabelSettings(Section):
    """From maps to a label map: refinement, then completion (Sun et al. 2021, Eq. 4 and 5).

    `pseudo_labels` is for the exported labels, `train.labels` for those of the training crops. The
    two are independent. See docs/guides/labels.md.
    """

    method: Literal["completion", "crf", "thresholds"] = "completion"
    """`completion`: Eq. 4 and 5. `crf`: where two dense CRFs of 10 iterations agree (the paper's
    Table 2), 255 elsewhere; `gamma`, `alpha`, `conflicts`, `opening` and saliency have no effect,
    and each CRF takes a CPU core a good fraction of a second per image, in training too.
    `thresholds` (AFA): a class where it beats the high background score of `thresholds`, background
    where no class beats the low one, 255 in between; of the other keys only `refinement`,
    `iterations` and `scale` have an effect, which AFA sets to `par`, 10 and 0.5."""
    refinement: Literal["pamr", "par", "crf", "none"] = "pamr"
    """How maps are fitted to the edges of the image: PAMR; PAR (of AFA); or the probabilities of a
    dense CRF over the classes and a background score with `gamma`."""
    iterations: Count = 10
    """Iterations of the refinement."""
    scale: float = Field(1.0, gt=0, le=1)
    """Share of the image's sides at which maps are refined. 0.5 takes a quarter of the time."""
    gamma: Exponent = 32.0
    """Exponent of the background score (1 - max_c M_c)^gamma, Eq. 4. Larger means less
    background."""
    alpha: Fraction = 0.9
    """Quantile of a class's positive map values in the image, as a share. Outside saliency the
    class claims the pixels above it, Eq. 5. Larger means fewer."""
    conflicts: bool = True
    """Whether a pixel that several classes claim is unknown, 255 (the paper's text). `false`: the
    class with the lowest number takes it (the released code)."""
    opening: int = Field(0, ge=0)
    """Side of the square of a morphological opening of all that is not background, px. 0 and 1:
    none. The released code has 10 in training at 256 px."""
    saliency: bool = True
    """Whether to use saliency, Eq. 4. `false`: the argmax of background and classes, without Eq. 5
    and without unknown pixels."""
    saliency_threshold: Fraction = 0.5
    """Saliency above which a pixel is salient, from 0 to 1."""
    thresholds: tuple[Fraction, Fraction] = (0.55, 0.35)
    """High and low background score of `method: thresholds`, from 0 to 1, for maps divided by their
    maximum."""
    crf_gammas: tuple[Exponent, Exponent] = (32.0, 1000.0)
    """Exponents of the two backgrounds of `method: crf`, the stronger background first."""

    @property
    def uses_saliency(self) -> bool:
        """Whether label maps also use saliency."""
        return self.saliency and self.method == "completion"

    @model_validator(mode="after")
    def _two_thresholds(self) -> "LabelSettings":
        high, low = self.thresholds
        if high < low:
            raise ValueError(f"thresholds ({high}, {low}): expected the high one first")
        if self.method == "thresholds" and self.refinement == "crf":
            raise ValueError("method: thresholds refines by par, pamr or none, not by crf")
        return self


class AgreedSaliencySettings(Section):
    """Saliency that the maps confirm or contradict, pixel by pixel, for `method: completion`."""

    gamma: Exponent = 4.0
    """Exponent of the background score of labels made without saliency. Their class pixels are the
    area where the maps see a class."""
    inside: Fraction = 0.1
    """Saliency above which a pixel of that area is salient, from 0 to 1."""
    outside: Fraction = 0.9
    """Saliency above which any other pixel is salient, from 0 to 1."""


class ExportedLabelSettings(LabelSettings):
    """How the exported labels are made; `train.labels` has the same keys for the training crops.

    The two are independent.
    """

    agreed_saliency: AgreedSaliencySettings | None = None
    """Two thresholds instead of `saliency_threshold`, for saliency that is often wrong: a low one
    where the maps see a class, a high one elsewhere. No mask is opened for it. `null`: one
    threshold."""
