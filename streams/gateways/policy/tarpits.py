"""Who sleeps in a tarpit. The process that sleeps is the mail server's, and an attacker would
have all of them: so few sleep at the same time, and of one network only one. No IO, no clock.
"""

SHARE = 20  # one in so many processes: 5 %
LONGEST = 30  # seconds; clients give up after some minutes, and Postfix under stress after 10 s


class Tarpits:
    """Of a server with so many `processes`."""

    def __init__(self, processes: int) -> None:
        self._most = processes // SHARE
        self._ends: dict[str, float] = {}

    def begin(self, network: str, seconds: float, now: float) -> bool:
        """Whether a client of that network may be put to sleep; then it sleeps."""
        ends = self._ends
        for awake in [one for one, end in ends.items() if end <= now]:
            del ends[awake]
        if network in ends or len(ends) >= self._most:
            return False
        ends[network] = now + seconds
        return True
