"""Sweeps over label settings: what they compare, and what they refuse to compare."""

import pytest

from getam_core.errors import InputError
from getam_core.evaluation.ablation import sweep_variants
from getam_core.settings import SWEEPS, Settings

GRIDS = {"alpha": (0.5, 1.0), "gamma": (2.0, 32.0)}


def base(**changes):
    return Settings.model_validate({"pseudo_labels": changes}).pseudo_labels.model_dump()


@pytest.mark.parametrize("sweep", SWEEPS)
def test_no_two_variants_are_alike(sweep):
    variants = list(sweep_variants(sweep, base(), GRIDS).values())
    assert len(variants) > 1
    assert all(one != other for i, one in enumerate(variants) for other in variants[:i])


@pytest.mark.parametrize(
    ("sweep", "changes", "reason"),
    [
        ("alpha", {"saliency": False}, "only acts outside salient"),
        ("alpha", {"method": "crf"}, "alpha has no effect"),
        ("gamma", {"method": "crf"}, "gamma has no effect"),
    ],
)
def test_a_setting_without_a_part_in_the_labels_is_not_swept(sweep, changes, reason):
    with pytest.raises(InputError, match=reason):
        sweep_variants(sweep, base(**changes), GRIDS)


def test_without_saliency_what_needs_it_is_left_out():
    assert set(sweep_variants("completion", base(saliency=False), GRIDS)) == {
        "argmax",
        "CRF labels",
    }
