"""Masks from images and class names: GETAM (Sun et al. 2021) as a library.

Reading order, along the way of an image: `settings` (what a run is), `data`, `stores` (what stages
hand on), `vit`, `saliency`, `activation`, `refine`, `labels`, `training`, `evaluation`, `report`.
"""

__version__ = "0.1.0"
