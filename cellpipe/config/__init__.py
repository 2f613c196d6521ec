"""The settings of a run: options, the sheet of plates, plate maps; checked before any job."""
