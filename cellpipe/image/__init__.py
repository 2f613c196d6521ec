"""Images: read by block, their levels and grey scale, saturation, square pixels, units."""
