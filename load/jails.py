"""Which clients fail2ban would have banned: run by the Python that Debian's fail2ban belongs to.

Reads lines ``ADDRESS SECONDS`` of one jail in order of time, and prints the same of each first
ban. Counting is fail2ban's own (`fail2ban.server.failmanager`), with its default limits.
"""

import sys

from fail2ban.server.failmanager import FailManager, FailManagerEmpty
from fail2ban.server.ipdns import IPAddr
from fail2ban.server.ticket import FailTicket

MAXRETRY = 5  # jail.conf, [DEFAULT]
FINDTIME = 600.0


def main() -> None:
    failures = FailManager()
    failures.setMaxRetry(MAXRETRY)
    failures.setMaxTime(FINDTIME)
    banned: set[str] = set()
    for line in sys.stdin:
        address, at = line.split()
        if address in banned:
            continue
        ticket = FailTicket(IPAddr(address), float(at))
        failures.addFailure(ticket)
        try:
            failures.toBan(ticket.getID())
        except FailManagerEmpty:
            continue
        banned.add(address)
        print(address, at)


if __name__ == "__main__":
    main()
