"""Files that hold many planes each: one module per format, one interface (`containers`)."""
