"""From the reader to the bus: packed, kept until the broker has it, sent."""
