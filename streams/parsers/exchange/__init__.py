"""Microsoft Exchange on premises, 2003 to 2019, and the IIS in front of it: one file a log."""
