"""Report and review in headless Chromium, at the widths of a desktop and a phone."""

import numpy as np
import pytest

from getam_core.provenance import provenance
from getam_core.report import confusion_figure, cost_table, gallery, origin_table
from getam_core.report.costs import Cost
from tests.chromium import BROWSER, look
from tests.test_report import LABEL_MAP, example
from tests.test_report_page import written
from tests.test_review import reviewed, write_run

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
LONG = "a_class_with_a_name_that_somebody_forgot_to_shorten_" * 2


def report(folder):
    """A report with every kind of section."""
    rows = [example({1: "cat", 2: LONG}, pseudo_label=LABEL_MAP, prediction=LABEL_MAP)] * 2
    confusion = confusion_figure([LONG] * 21, np.eye(21, 22))
    found, settings = provenance(), {"seed": 0, LONG: [LONG] * 9}
    written(
        folder,
        figures={"Images": gallery(rows), "Confusion": confusion},
        tables={
            "Costs": cost_table({LONG: Cost(1, 5.0)}),
            "Origin": origin_table(found, found, settings),
        },
        settings=settings,
    )
    return folder / "report.html", 2


def review(folder):
    return reviewed(folder, write_run(folder), (LONG, "dog", "cow")), 12


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("write", [report, review])
def test_a_page_fits_its_width_and_shows_all_pictures(tmp_path, write, width):
    page, images = write(tmp_path)
    seen = look(page, width, tmp_path)
    assert seen["content"] <= seen["width"] <= width and seen["outside"] == []
    assert (seen["images"], seen["failed"]) == (images, [])


def test_the_look_sees_what_sticks_out_and_what_is_broken(tmp_path):
    (tmp_path / "bad.html").write_text(
        '<!doctype html><main><p style="width:600px">wide</p><img alt="broken" src="data:,"></main>'
    )
    seen = look(tmp_path / "bad.html", 390, tmp_path)
    assert seen["failed"] == ["broken"] and "wide" in seen["outside"][0]
