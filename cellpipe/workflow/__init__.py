"""What jobs are made of: blocks, receipts, fingerprints, and the joining of results."""
