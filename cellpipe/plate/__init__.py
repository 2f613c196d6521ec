"""The OME-Zarr plate: laid out, filled, read, its metadata kept."""
