"""Every file of a folder: used, quarantined, or passed over with a reason."""
