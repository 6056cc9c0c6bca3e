"""Our own gateways on the block lists of others: asked from time to time, told when it changes."""
