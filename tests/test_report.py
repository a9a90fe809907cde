"""The report's words, colours and figures, on made-up numbers."""

import io
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import rc_context
from PIL import Image

from getam_core.data import Entry
from getam_core.errors import InputError
from getam_core.report import (
    class_bars,
    class_table,
    colour_labels,
    entry_table,
    gallery,
    hero,
    markdown,
    overlay,
    predicted_example,
    read_metrics,
    seed_curves,
    side_by_side,
    training_curves,
)
from getam_core.report.names import LONGEST
from getam_core.report.pictures import BRIGHT
from tests.own_kit import ODD_NAMES
from tests.report_kit import METRICS, MIOU, NETWORK, SEED, example

SVG = "{http://www.w3.org/2000/svg}"

LABEL_MAP = np.repeat(np.array([0, 1, 255], np.uint8), 8)[:, None].repeat(32, axis=1)


def test_labels_have_the_colours_of_the_palette_and_unknown_is_near_white_stripes():
    panel = colour_labels(LABEL_MAP)
    assert (panel[:8] == 0).all()
    assert (panel[8:16] == BRIGHT[1]).all()
    unknown = panel[16:]
    assert set(np.unique(unknown)) == {190, 250}


def test_bright_colours_stay_distinct_for_all_labels():
    assert len(np.unique(BRIGHT, axis=0)) == 256


def test_overlay_glows_in_the_colour_of_the_strongest_class():
    image = np.full((16, 16, 3), 128, np.uint8)
    maps = np.zeros((2, 4, 4))
    maps[0, :, :2], maps[1, :, 2:] = 7.0, 0.1  # scales differ: each is divided by its own maximum
    panel = overlay(image, maps, [1, 2]).astype(int)
    assert panel.shape == image.shape
    left, right = panel[8, 1], panel[8, 14]
    assert left.argmax() == 0 and right.argmax() == 1  # VOC: 1 is red, 2 is green


@pytest.mark.parametrize("maps", [np.zeros((2, 4, 4)), np.zeros((0, 4, 4))])
def test_overlay_of_nothing_is_the_faded_grey_image(maps):
    image = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    panel = overlay(image, maps, [1, 2][: len(maps)])
    assert (panel == panel[0, 0, 0]).all()
    assert panel.max() < image.mean()


def test_overlay_without_classes_accepts_one_map_in_heat_colours():
    image = np.full((8, 8, 3), 128, np.uint8)
    panel = overlay(image, np.pad(np.ones((1, 1)), ((0, 3), (0, 3)))).astype(int)
    assert panel[0, 0, 0] > panel[0, 0, 2] and panel[-1, -1, 2] > panel[-1, -1, 0]


def test_gallery_leaves_out_columns_that_no_example_fills():
    rows = [
        example({1: "cat"}, pseudo_label=LABEL_MAP),
        example({1: "cat", 2: "dog"}, saliency=np.ones((24, 32), bool), mask=LABEL_MAP),
    ]
    figure = gallery(rows)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["Image", "GETAM", "Saliency", "Pseudo label", "Ground truth"]
    assert len(figure.axes) == 2 * len(titles)
    assert sum(len(axes.images) for axes in figure.axes) == 3 + 4


@pytest.mark.parametrize(("mask", "named"), [(None, ["cat"]), ([0, 2, 255], ["cat", "dog"])])
def test_the_legend_of_a_prediction_names_the_classes_of_its_mask_too(mask, named, tmp_path):
    Image.new("RGB", (3, 1)).save(tmp_path / "a.png")
    entry = Entry("a", tmp_path / "a.png", "val", ())
    mask = None if mask is None else np.array([mask], np.uint8)
    predictions = {"a": np.array([[0, 1, 1]], np.uint8)}
    made = predicted_example(entry, classes=("cat", "dog"), predictions=predictions, mask=mask)
    assert list(made.classes.values()) == named


def test_galleries_side_by_side_keep_their_sizes_and_have_headings(tmp_path):
    one, two = [example({1: "cat"}, prediction=LABEL_MAP)], [example({}), example({})]
    galleries = {"left": gallery(one), "right": gallery(two)}
    sizes = [figure.get_size_inches() * 110 // 1 for figure in galleries.values()]
    whole = side_by_side(galleries)
    assert [text.get_text() for text in whole.texts] == ["left", "right"]
    whole.savefig(tmp_path / "both.png", dpi=110)
    with Image.open(tmp_path / "both.png") as picture:
        width, height = picture.size
        assert width >= sizes[0][0] + sizes[1][0] and height >= sizes[1][1] > sizes[0][1]
        assert picture.convert("RGB").getpixel((5, height - 5)) == (255, 255, 255)


def test_hero_has_a_column_for_every_stage_that_has_a_picture():
    panels = {"pseudo_label": LABEL_MAP, "prediction": LABEL_MAP, "mask": LABEL_MAP}
    full, unmasked = [example({1: "cat"}, **panels)], [example({1: "cat"}, pseudo_label=LABEL_MAP)]
    assert len(hero(full).axes) == 5
    assert len(hero(unmasked).axes) == 3


def drawn(figure) -> list[str]:
    """The words of a figure as a reader sees them."""
    svg = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}):
        figure.savefig(svg, format="svg")
    return [text.text for text in ElementTree.fromstring(svg.getvalue()).iter(f"{SVG}text")]


def test_names_are_drawn_as_they_stand():
    shown = replace(example(dict(enumerate(ODD_NAMES, 1)), pseudo_label=LABEL_MAP), name="$i$d")
    scores = dict.fromkeys(ODD_NAMES, 50.0)
    assert {*ODD_NAMES, "$i$d"} <= set(drawn(gallery([shown])))
    assert set(ODD_NAMES) <= set(drawn(hero([shown])))
    assert set(ODD_NAMES) <= set(drawn(class_bars([NETWORK | {"per_class": scores}])))


def test_a_long_name_is_cut_in_pictures_so_that_bars_have_room():
    figure = class_bars([NETWORK | {"per_class": {"n" * 250: 50.0}}])
    assert "n" * (LONGEST - 1) + "…" in drawn(figure)
    assert figure.axes[0].get_position().width > 0.3


def test_hero_without_an_example_says_what_to_give():
    with pytest.raises(InputError, match="at least"):
        hero([])


def test_training_curves_skip_what_was_not_measured():
    losses, quality, _ = training_curves(METRICS).axes
    drawn = {line.get_label(): line.get_xdata().tolist() for line in losses.lines}
    assert drawn == {"total": [1, 2, 3], "classification": [1, 2, 3], "foreground": [2, 3]}
    assert quality.lines[0].get_xdata().tolist() == [2]


def test_training_curves_of_no_row_name_the_file():
    with pytest.raises(InputError, match=r"metrics\.csv"):
        training_curves([])


def test_seed_curves_mark_the_best_threshold_and_pass_over_other_entries():
    (axes,) = seed_curves([SEED, NETWORK]).axes
    curve, best = axes.lines
    assert "50.0 at 0.31" in curve.get_label()
    assert best.get_xydata().tolist() == [[0.31, 50.0]]


def test_class_bars_have_no_bar_for_an_absent_class():
    (axes,) = class_bars([SEED, NETWORK]).axes
    widths = [bar.get_width() for bar in axes.patches]
    assert np.nansum(widths) == 70 + 30 + 75 + 35
    assert np.isnan(widths).sum() == 1


def test_entry_table_follows_the_way_of_the_data_and_keeps_only_filled_columns():
    header, rows = entry_table(MIOU["entries"])
    assert header[3:7] == ["mIoU", "mIoU of known", "Known", "Class mAP"]
    assert [row[0] for row in rows] == ["Seeds", "Pseudo labels", "Segmentation"]
    assert rows[1][3:7] == ["60.0", "65.0", "93.1", ""]
    assert [row[-1] for row in rows[1:]] == ["alpha 0.9, conflicts", "sizes native + 96, no flip"]
    assert entry_table([SEED])[0][3:5] == ["mIoU", "Images"]


def test_class_table_leaves_an_absent_class_empty():
    _, rows = class_table([SEED, NETWORK])
    assert rows == [["background", "70.0", "75.0"], ["cat", "30.0", "35.0"], ["<b>", "", "0.0"]]


def test_a_cell_of_markdown_is_text_whatever_its_characters():
    assert markdown((["a", "b"], [["1|2", ""]])) == "| a | b |\n| --- | --- |\n| 1\\|2 |  |"
    cells = ["<i>", "$a$b", "_x_", "x_1", "a\\|b", "two\nlines"]
    row = markdown((cells, [])).splitlines()[0]
    assert row == r"| \<i\> | \$a\$b | \_x\_ | x_1 | a\\\|b | two lines |"


def test_metrics_are_read_as_text_and_a_missing_file_is_named(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,loss,val_class_map\n1,0.5,\n")
    assert read_metrics(path) == [{"epoch": "1", "loss": "0.5", "val_class_map": ""}]
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        read_metrics(tmp_path / "nowhere.csv")
