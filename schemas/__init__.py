"""What things are: events, findings, keys, topics, settings. No IO, no clock, no framework."""
