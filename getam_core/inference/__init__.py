"""Networks on pictures without masks: maps, segmentations, predictions into stores.

Reading order: `batches` (whole images of one shape), `maps` (a method over a data set),
`class_map` (how well it classifies), `segmentation` (of one image, at several sizes),
`predictions` (of a split), `deeplab` (the same for DeepLabv2). Modules are imported by name.
"""
