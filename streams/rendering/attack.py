"""MITRE ATT&CK: the names of the techniques that detectors tell of, and their tactics.

Ids move between versions (Impersonation left Defense Evasion in v19), so the version is sent with
them. Of several tactics the table has the one that fits mail. Source: https://attack.mitre.org,
Enterprise, v18.
"""

from msgspec import Struct

VERSION = "18.0"

TACTICS = {
    "TA0001": "Initial Access",
    "TA0002": "Execution",
    "TA0005": "Defense Evasion",
    "TA0006": "Credential Access",
    "TA0040": "Impact",
    "TA0042": "Resource Development",
    "TA0043": "Reconnaissance",
}

TECHNIQUES = {  # name, tactic
    "T1078": ("Valid Accounts", "TA0001"),
    "T1110": ("Brute Force", "TA0006"),
    "T1110.001": ("Password Guessing", "TA0006"),
    "T1110.003": ("Password Spraying", "TA0006"),
    "T1110.004": ("Credential Stuffing", "TA0006"),
    "T1190": ("Exploit Public-Facing Application", "TA0001"),
    "T1204": ("User Execution", "TA0002"),
    "T1489": ("Service Stop", "TA0040"),
    "T1498": ("Network Denial of Service", "TA0040"),
    "T1498.002": ("Reflection Amplification", "TA0040"),
    "T1499": ("Endpoint Denial of Service", "TA0040"),
    "T1566": ("Phishing", "TA0001"),
    "T1584": ("Compromise Infrastructure", "TA0042"),
    "T1584.004": ("Server", "TA0042"),
    "T1589": ("Gather Victim Identity Information", "TA0043"),
    "T1589.002": ("Email Addresses", "TA0043"),
    "T1595": ("Active Scanning", "TA0043"),
    "T1598": ("Phishing for Information", "TA0043"),
    "T1656": ("Impersonation", "TA0005"),
}


class Named(Struct, frozen=True):
    """An id and its name; "" where it is not known."""

    id: str
    name: str = ""


class Attack(Struct, frozen=True):
    """A technique, with its tactic and its part, where it has one."""

    technique: Named
    tactic: Named | None = None
    part: Named | None = None  # the sub-technique


def of(technique: str) -> Attack | None:
    """What is known of an id such as T1110.001; None: there is no id."""
    if not technique:
        return None
    name, tactic = TECHNIQUES.get(technique, ("", ""))
    whole = technique.partition(".")[0]
    return Attack(
        technique=Named(whole, TECHNIQUES.get(whole, ("", ""))[0]),
        tactic=Named(tactic, TACTICS[tactic]) if tactic else None,
        part=Named(technique, name) if whole != technique else None,
    )
