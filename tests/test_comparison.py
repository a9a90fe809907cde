"""Runs as rows of the paper's tables: means, spreads, and what was published."""

import json
from argparse import Namespace

import pytest

from getam_core.classes import COCO_CLASSES, VOC_CLASSES
from getam_core.evaluation import compare_runs, published_figures
from getam_core.report import comparison_figure, comparison_table
from getam_core.report.comparison import comparison_note
from getam_core.report.studies import read_studies
from workflow_scripts import compare_runs as stage


def entry(miou, what="segmentation", split="val", images=1449):
    return {"what": what, "split": split, "method": "getam", "miou": miou, "images": images}


CELLS = [
    ("GETAM", "voc", entry(70.0)),
    ("GETAM", "voc", entry(40.0, "seed", "train", 10582)),
    ("GETAM", "voc-seed1", entry(73.0)),
    ("GETAM", "voc-seed1", entry(None, "seed", "train", 10582)),
    ("ours", "own", entry(50.0)),
]


def compared(cells=CELLS, layout="voc", classes=VOC_CLASSES, table="table1"):
    rows = compare_runs(cells, published_figures(layout, table), layout, classes)
    return {"run": "voc", "table": "table1", "dataset": "VOC", "entries": rows}


def test_a_row_is_the_mean_over_its_runs_with_their_spread_and_the_published_figure():
    getam, seeds, ours = compared()["entries"]
    assert (getam["miou"], getam["spread"]) == (71.5, pytest.approx(2.12))
    assert getam["runs"] == {"voc": 70.0, "voc-seed1": 73.0}
    assert (getam["published"], getam["comparable"]) == (71.7, True)
    assert getam["source"] == "Sun et al. 2021, Table 1"
    assert seeds["miou"] == 40.0 and not {"spread", "published"} & set(seeds)
    assert ours["miou"] == 50.0 and "published" not in ours


@pytest.mark.parametrize(
    ("images", "layout", "classes", "figure", "comparable"),
    [
        (1449, "voc", VOC_CLASSES, 71.7, True),
        (200, "voc", VOC_CLASSES, 71.7, False),
        (1449, "voc", ("cat", "dog"), 71.7, False),
        (1449, "scenes", VOC_CLASSES, 71.7, False),
        (40504, "coco", COCO_CLASSES, 36.4, True),
    ],
)
def test_a_published_figure_is_comparable_where_images_and_classes_are_the_same(
    images, layout, classes, figure, comparable
):
    (row,) = compared([("GETAM", "x", entry(1.0, images=images))], layout, classes)["entries"]
    assert (row["published"], row["comparable"]) == (figure, comparable)


def test_a_table_sets_the_published_figures_beside_ours_and_says_what_they_are():
    header, rows = comparison_table(compared())
    assert header == ["Row", "Segmentation, val", "±", "Published", "Seeds, train", "±", "Runs"]
    assert rows == [
        ["GETAM", "71.5", "2.1", "71.7", "40.0", "", "voc, voc-seed1"],
        ["ours", "50.0", "", "", "", "", "own"],
    ]
    assert "not comparable" not in comparison_note(compared())
    other = compared([("GETAM", "x", entry(1.0, images=200))])
    assert "not comparable" in comparison_note(other)
    cells = [
        ("GETAM", "x", entry(1.0, "pseudo_labels", "val", 1449)),
        ("GETAM", "x", entry(1.0, "pseudo_labels", "train", 10582)),
    ]
    mixed = compared(cells, table="table3")
    assert comparison_note(mixed).endswith("not comparable: Pseudo labels, train.")
    assert "Published" not in comparison_note(compared([("ours", "own", entry(50.0))]))


def test_a_plot_has_a_bar_for_each_figure_and_a_mark_for_each_published_one():
    axes = comparison_figure(compared()).axes[0]
    widths = [bar.get_width() for bars in axes.containers[::2] for bar in bars]
    assert [width for width in widths if width == width] == [71.5, 50.0, 40.0]
    marks = [line for line in axes.lines if line.get_marker() == "D"]
    assert [list(line.get_xdata()) for line in marks] == [[71.7]]


def test_the_stage_puts_the_runs_entries_together_and_a_report_reads_them(tmp_path):
    (tmp_path / "index.csv").write_text("image_id,image,split,classes\na,/a.jpg,train,cat\n")
    files = [tmp_path / name for name in ("0.json", "1.json")]
    for file, miou in zip(files, (40.0, 44.0), strict=True):
        file.write_text(json.dumps(entry(miou)))
    out = tmp_path / "ablation" / "table1.json"
    stage.main(
        Namespace(
            run="own", table="table1", index=tmp_path / "index.csv", entries=files, out=out,
            plot=out.with_suffix(".png"), settings='{"title": "mine"}',
            cells=json.dumps([["GETAM", "own"], ["GETAM", "own-seed1"]]),
        )
    )  # fmt: skip
    (row,) = json.loads(out.read_text())["entries"]
    assert (row["miou"], row["runs"]) == (42.0, {"own": 40.0, "own-seed1": 44.0})
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    (study,) = read_studies(out.parent)
    assert study.title.startswith("Table 1") and study.table[1][0][:2] == ["GETAM", "42.0"]
    assert read_studies(tmp_path / "nothing") == []
