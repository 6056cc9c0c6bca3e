"""Our own gateways on the block lists of others: asked from time to time, told when it changes."""

DELISTING = "delisting"
"""The kind of signal that says: a person has asked a list to take us off."""
