"""Networks on pictures without masks: maps, segmentations, predictions into stores.

Reading order: `batches` (whole images of one shape), `maps` (a method over a data set),
`class_map` (how well a network classifies); `segmentation` (what every segmenter makes of an
image), `single_stage` and `deeplab` (the two), `predictions` (of a split, by any segmenter).
Modules are imported by name.
"""
