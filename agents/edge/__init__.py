"""The relay: decisions from the bus are held in memory and enforced."""
