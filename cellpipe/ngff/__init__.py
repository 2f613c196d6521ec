"""OME-Zarr on disk: metadata as trees of JSON, bringing a folder to them, chunks."""
