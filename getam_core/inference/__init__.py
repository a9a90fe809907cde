"""Networks on images without masks: maps, label maps and predictions, written to stores.

Reading order: `reading` (ahead, in batches of similar items), `batches` (of whole images), `maps`
(a method over a data set), `carried` (maps propagated by affinity), `class_map` (how well a network
classifies); `prediction` (what a network predicts for an image), `single_stage` and `deeplab` (the
two predictors), `predictions` (for a split, by either), `network_labels` (for images whose classes
are known); `tiles` and `large` (images that do not fit in one pass). Modules are imported by name.
"""
