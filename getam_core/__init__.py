"""Masks from images and class names: GETAM (Sun et al. 2021) as a library.

Reading order, along the way of an image: `data`, `vit`, `activation`, `refine`, `labels`,
`training`, `evaluation`.
"""

__version__ = "0.1.0"
