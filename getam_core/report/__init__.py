"""What a person looks at: pictures, plots, tables and the report of a run.

Reading order: `examples` (which images are shown, and what a run made of them), `names` (of classes
and images, as pictures show them), `pictures` (arrays to RGB panels, the gallery), `hero` (the
README's picture), `tables` (entries of miou.json to rows of text), `extremes` (best and worst
images), `costs` and `origin` (of the stages), `figures` and `confusion` (plots of numbers),
`comparison` (runs as rows of a table), `map_studies`, `studies` (what `ablation/` holds), `page`
(HTML of all these), `html` (the report in one file). Stores and masks come from the caller: nothing
here opens one.

`progress` (for TensorBoard, while a network is trained) is imported by name, since it needs torch.
"""

from getam_core.report.comparison import comparison_figure, comparison_table
from getam_core.report.confusion import confusion_figure, read_confusion
from getam_core.report.costs import cost_table, read_costs
from getam_core.report.examples import predicted_example, training_example, worth_showing
from getam_core.report.extremes import extremes, read_mious, with_mious
from getam_core.report.figures import class_bars, seed_curves, sweep_figure, training_curves
from getam_core.report.hero import hero
from getam_core.report.html import write_report
from getam_core.report.map_studies import map_study_figure
from getam_core.report.origin import origin_table
from getam_core.report.pictures import Example, colour_labels, gallery, overlay, side_by_side
from getam_core.report.studies import read_studies
from getam_core.report.tables import class_table, entry_table, markdown, read_metrics

__all__ = [
    "Example",
    "class_bars",
    "class_table",
    "colour_labels",
    "comparison_figure",
    "comparison_table",
    "confusion_figure",
    "cost_table",
    "entry_table",
    "extremes",
    "gallery",
    "hero",
    "map_study_figure",
    "markdown",
    "origin_table",
    "overlay",
    "predicted_example",
    "read_confusion",
    "read_costs",
    "read_metrics",
    "read_mious",
    "read_studies",
    "seed_curves",
    "side_by_side",
    "sweep_figure",
    "training_curves",
    "training_example",
    "with_mious",
    "worth_showing",
    "write_report",
]
