"""What a person asks for: options, the sheet of plates, plate maps; checked before any job."""
