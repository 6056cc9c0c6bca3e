"""What the envelopes of each family of shippers look like: one file each."""
