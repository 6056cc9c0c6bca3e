"""Which password opened an account last, by its fingerprint. In memory only."""

MOST = 50_000  # accounts


class Passwords:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._right: dict[str, str] = {}  # fingerprint by account, the newest last

    def opened(self, account: str, fingerprint: str) -> None:
        self._right.pop(account, None)
        if len(self._right) >= self._most:
            del self._right[next(iter(self._right))]
        self._right[account] = fingerprint

    def is_right(self, account: str, fingerprint: str) -> bool:
        return self._right.get(account) == fingerprint
