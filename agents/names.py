"""Names of accounts, as those who guess at them and those who mistype them write them."""

from difflib import SequenceMatcher

from schemas.keys import Site


def foreign(account: str, site: Site) -> bool:
    """Whether a login is of a domain that is not ours: the old login of one who came over, or the
    login of another site."""
    return bool(site.domains) and not site.local(account)


def called(account: str, site: Site) -> str:
    """By which name an account is counted: those of other domains by their local part."""
    return namesake(account) if foreign(account, site) else bare(account)


def namesake(account: str) -> str:
    """The account of the same local part in any domain that is not ours."""
    return bare(account).partition("@")[0] + "@elsewhere"


def bare(account: str) -> str:
    """An account without the dots of its name: a near miss of a person is no second account."""
    name, at, domain = account.partition("@")
    return name.replace(".", "") + at + domain


def alike(one: str, other: str) -> float:
    """How alike two local parts are, 0 to 1 (difflib: matching characters of both)."""
    names = one.partition("@")[0], other.partition("@")[0]
    return SequenceMatcher(None, *names, autojunk=False).ratio()
