"""What a microscope recorded next to its images: one module per vendor, one record (`metadata`)."""
