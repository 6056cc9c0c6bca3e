"""Our own servers, seen from outside: what a stranger would learn by asking them."""
