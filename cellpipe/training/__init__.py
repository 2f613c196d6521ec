"""Training: pairs of images and labels, targets, augmentation, one loop."""
