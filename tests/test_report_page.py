"""The report as a file: one self-contained page, whole and escaped."""

import base64
import io
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

from PIL import Image

from getam_core.report import (
    gallery,
    training_curves,
    write_report,
)
from tests.report_kit import METRICS, MIOU, NETWORK, example


class Page(HTMLParser):
    """Collects tags, every address, and whether tags close in order."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.addresses, self.headings = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for key, value in attrs if key in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def written(tmp_path, **changes) -> str:
    png = io.BytesIO()
    Image.new("RGB", (2, 2)).save(png, "png")
    figures = {
        "Training": training_curves(METRICS),
        "Examples": gallery([example({1: "cat"})]),
        "Ablation": png.getvalue(),
    }
    given = {
        "run": "trial & error", "miou": MIOU, "figures": figures, "metrics": METRICS,
        "settings": {"train": {"epochs": 3}}, "written": datetime(2025, 1, 2, 3, 4, tzinfo=UTC),
    }  # fmt: skip
    write_report(tmp_path / "report.html", **{**given, **changes})
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_report_is_one_well_formed_file_that_needs_no_other(tmp_path):
    page = Page(written(tmp_path))
    assert page.open == []
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert page.headings == [
        "trial & error",
        "Numbers",
        "Training",
        "Examples",
        "Ablation",
        "Settings",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_report_embeds_plots_as_svg_photographs_as_webp_and_bytes_as_png(tmp_path):
    text = written(tmp_path)
    images = re.findall(r'data:image/([\w+]+);base64,([^"]+)"', text)
    assert [kind for kind, _ in images] == ["svg+xml", "webp", "png"]
    assert b"<svg" in base64.b64decode(images[0][1])
    for kind, data in images[1:]:
        assert Image.open(io.BytesIO(base64.b64decode(data))).format.lower() == kind


def test_report_of_the_same_run_has_the_same_bytes(tmp_path):
    assert written(tmp_path) == written(tmp_path)


def test_report_escapes_names_and_says_when_and_with_what_settings(tmp_path):
    text = written(tmp_path, settings={"train": {"epochs": 3}, "data_root": "<script>"})
    assert "<b></td>" not in text and "&lt;b&gt;" in text and "<script>" not in text
    assert "2025-01-02 03:04 UTC" in text and "epochs: 3" in text


def test_names_that_are_numbers_are_no_percentages(tmp_path):
    entry = NETWORK | {"per_class": {"background": 75.0, "7": 35.0, "12": 20.0}}
    for names in (["background", "7", "12"], ["7", "12"]):
        per_class = {name: entry["per_class"][name] for name in names}
        text = written(tmp_path, miou={"entries": [entry | {"per_class": per_class}]}, figures={})
        assert '<td class="name">7</td>' in text and '"--value:7"' not in text


def test_report_of_a_run_without_masks_and_metrics_has_no_numbers(tmp_path):
    text = written(tmp_path, miou={"entries": []}, metrics=[], figures={})
    assert Page(text).headings == ["trial & error", "Settings"]
