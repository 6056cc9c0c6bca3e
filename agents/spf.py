"""Whether an address may send mail of a domain (SPF, RFC 7208), asked through our own resolver."""

import dns.asyncresolver
from spftrace import BaseResolver, Evaluator
from spftrace.resolver import NOERROR, NXDOMAIN, DnsError

from agents.resolver import Unanswered, records


async def result(
    resolver: dns.asyncresolver.Resolver, address: str, sender: str, helo: str = ""
) -> str:
    """pass, fail, softfail, neutral, none, permerror, or temperror where the DNS does not answer.
    The library keeps the limits of RFC 7208 (4.6.4): ten terms that cause a lookup."""
    found = await Evaluator(_Transport(resolver)).evaluate(address, sender, helo)
    return str(found.verdict)


class _Transport(BaseResolver):
    """Our resolver, as the SPF library asks it."""

    def __init__(self, resolver: dns.asyncresolver.Resolver) -> None:
        self._resolver = resolver

    async def _lookup(self, name: str, rtype: str) -> tuple[str, list[str]]:
        try:
            found = await records(self._resolver, name, rtype)
        except Unanswered as error:
            raise DnsError(str(error)) from error
        if rtype in ("MX", "PTR"):
            found = [text.rpartition(" ")[2].rstrip(".") for text in found]
        return (NOERROR if found else NXDOMAIN), found
