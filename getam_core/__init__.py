"""Masks from images and class names: GETAM (Sun et al. 2021) as a library.

Reading order, following an image: `settings` (what a run is), `data` (with `scenes` and
`downloads`), `stores` (what stages pass on), `networks`, `saliency`, `activation`, `refine`,
`labels`, `training`, `inference`, `deeplab`, `evaluation`, `report`, `explain`. README.md in
`activation`, `refine` and `labels` describes the methods.

A package imports only from those below it; `FLOORS` in tests/test_imports.py lists them from the
lowest up.
"""

__version__ = "0.1.0"
