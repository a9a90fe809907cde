"""Masks from images and class names: GETAM (Sun et al. 2021) as a library.

Reading order, along the way of an image: `settings` (what a run is), `data` (with `scenes` and
`downloads`), `stores` (what stages hand on), `networks`, `saliency`, `activation`, `refine`,
`labels`, `training`, `inference`, `deeplab`, `evaluation`, `report`, `explain`. The methods have a
page each: README.md in `activation`, `refine` and `labels`.

A room imports only from those below it; `FLOORS` in tests/test_imports.py is their order.
"""

__version__ = "0.1.0"
