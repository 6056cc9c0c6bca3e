"""How things travel: lines in, events and decisions across the bus, out to servers and the SOC."""
