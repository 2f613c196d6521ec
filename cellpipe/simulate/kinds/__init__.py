"""Fields of cells and nuclei of any kind: what a network learns from to hold on unseen images.

Domain randomisation (Tobin et al. 2017, arXiv:1703.06907): shapes, crowding, stains, contrasts and
cameras are sampled far more widely than any microscope has them, so that a real image is one more
variation. Labels are made first, then what each microscope would show of them.
"""

from cellpipe.simulate.kinds.scene import SCENES, Objects, Scene, simulate_scene

__all__ = ["SCENES", "Objects", "Scene", "simulate_scene"]
