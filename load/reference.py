"""What fail2ban (the Debian package) finds in a log, with its Postfix and Dovecot filters."""

import subprocess
from pathlib import Path

from schemas import net

PYTHON = "/usr/bin/python3"  # of the Debian packages
FILTERS = {" postfix/": "postfix[mode=extra]", " dovecot: ": "dovecot"}
"""What a program's lines hold, and the filter for them: ``extra`` is Debian's two jails for
Postfix in one, which counts a client's refused mail and failed logins together."""


def banned(log: Path, folder: Path) -> dict[str, float]:
    """The clients that would have been banned, as findings name them, and when first. `folder`
    is for files of its own. Raises CalledProcessError where fail2ban fails."""
    found: dict[str, float] = {}
    for number, (mark, name) in enumerate(FILTERS.items()):
        part = folder / f"fail2ban-{number}.log"
        with log.open() as lines, part.open("w") as file:
            file.writelines(line for line in lines if mark in line)
        matching = ["fail2ban-regex", "--usedns", "no", "-o", "<ip> <time>", str(part), name]
        failures = _output(matching)
        jails = str(Path(__file__).with_name("jails.py"))
        for line in _output([PYTHON, jails], failures).splitlines():
            address, at = line.split()
            client = net.client(net.address(address))
            found[client] = min(float(at), found.get(client, float(at)))
        part.unlink()
    return found


def _output(command: list[str], given: str = "") -> str:
    return subprocess.run(command, input=given, check=True, text=True, capture_output=True).stdout
