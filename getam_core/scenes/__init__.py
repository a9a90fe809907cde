"""Made scenes: a data set for the demo, drawn instead of downloaded.

Reading order: `shapes` (outlines), `textures` (surfaces), `drawing` (scenes, and data sets of them
in the layout of a VOC devkit).
"""

from getam_core.scenes.drawing import Scene, draw_scene, write_salient_scenes, write_scenes

__all__ = ["Scene", "draw_scene", "write_salient_scenes", "write_scenes"]
