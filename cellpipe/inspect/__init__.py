"""`cellpipe inspect`: what is in a folder of images, and a config that runs it."""
