"""Requests that stay on this machine and in its network, also where the server has a name."""

from __future__ import annotations

import asyncio

import httpx2

from data.own_network import all_own, lookup, own


class Outside(httpx2.ConnectError):
    """A name leads out of the network."""


class Inside(httpx2.AsyncHTTPTransport):
    """Sends requests to addresses on this machine and in its network only.

    A name is looked up for each request, and the request goes to an address that was checked. So a name that leads
    elsewhere by now is refused, and nobody can answer the check with one address and the request with another.
    """

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request. Raises `Outside`, or as httpx2 does."""
        url = request.url
        if own(url.host):
            return await super().handle_async_request(request)
        try:
            found = await asyncio.to_thread(lookup, url.host)
        except OSError as error:
            raise httpx2.ConnectError("its name is not known", request=request) from error
        if not all_own(found):
            raise Outside("its name leads outside your network", request=request)
        # The certificate is that of the name. The header `Host` has it already.
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        for address in found[:-1]:
            request.url = url.copy_with(host=address)
            try:
                return await super().handle_async_request(request)
            except httpx2.ConnectError:  # it may listen on another one only
                continue
        request.url = url.copy_with(host=found[-1])
        return await super().handle_async_request(request)
