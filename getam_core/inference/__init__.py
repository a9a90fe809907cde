"""Networks on pictures without masks: maps, label maps, predictions into stores.

Reading order: `reading` (ahead, and in batches of like items), `batches` (of whole images), `maps`
(a method over a data set), `class_map` (how well a network classifies); `prediction` (what every
network predicts of an image), `single_stage` and `deeplab` (the two predictors), `predictions` (of
a split, by either), `network_labels` (of images whose classes are known); `tiles` and `large`
(images that do not fit in one pass). Modules are imported by name.
"""
