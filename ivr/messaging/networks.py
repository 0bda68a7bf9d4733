"""Where webhooks may go: to the internet, and to those networks within that the company names.

Whoever may add an endpoint could otherwise knock on every door inside the company's network, and
read what answers (https://owasp.org/www-community/attacks/Server_Side_Request_Forgery).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


class Networks:
    """What may be reached."""

    def __init__(self, within: Iterable[str] = ()) -> None:
        """`within` are networks such as 10.0.0.0/8, beside all that is on the internet."""
        self._within = tuple(map(ip_network, within))

    def allow(self, host: str) -> bool:
        """Whether an address may be reached; a name may be, as far as its addresses may."""
        try:
            address = _itself(ip_address(host.strip("[]").partition("%")[0]))
        except ValueError:
            return True
        if any(address in network for network in self._within):
            return True
        return address.is_global and not address.is_multicast


def _itself(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """What an IPv4 address is that is written as one of IPv6."""
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or address.sixtofour or address
