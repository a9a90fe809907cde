"""What a person looks at: pictures, plots, tables and the report of a run.

Reading order: `examples` (which images are shown, and what a run made of them), `names` (of classes
and images, as pictures show them), `pictures` (arrays to RGB panels, the gallery), `hero` (the
README's picture), `tables` (entries of miou.json to rows of text), `figures` (plots of numbers),
`html` (all of it in one file). Stores and masks come in from the caller: nothing here opens one.

`progress` (for TensorBoard, while a network is trained) is imported by name, since it needs torch.
"""

from getam_core.report.examples import predicted_example, training_example, worth_showing
from getam_core.report.figures import class_bars, seed_curves, sweep_figure, training_curves
from getam_core.report.hero import hero
from getam_core.report.html import write_report
from getam_core.report.pictures import Example, colour_labels, gallery, overlay, side_by_side
from getam_core.report.tables import class_table, entry_table, markdown, read_metrics

__all__ = [
    "Example",
    "class_bars",
    "class_table",
    "colour_labels",
    "entry_table",
    "gallery",
    "hero",
    "markdown",
    "overlay",
    "predicted_example",
    "read_metrics",
    "seed_curves",
    "side_by_side",
    "sweep_figure",
    "training_curves",
    "training_example",
    "worth_showing",
    "write_report",
]
