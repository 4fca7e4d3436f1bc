"""JSON over HTTP to a server of models, many requests at a time.

Failures that may pass (no connection, a time-out, 429 and 5xx) are tried again after growing pauses [O].
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
from aiohttp_retry import ExponentialRetry, RetryClient

from itool import params
from itool.errors import UserError, one_line

PAUSE = 0.25  # seconds before the second attempt, twice as long before each next one
PASSING = (aiohttp.ClientError, asyncio.TimeoutError)  # what may go away
JsonRequest = tuple[str, str, Any]  # method, path after the server's URL, body


def ignore(index: int, answer: Any) -> None:
    """Does nothing with an answer that has arrived."""


async def whole(response: aiohttp.ClientResponse) -> bool:
    """Reads the body, so that a connection lost in the middle of it is tried again as well."""
    await response.read()
    return True


class Endpoint:
    """A server. `setting` names the place of params.yaml that its URL comes from. `headers` go with every request."""

    def __init__(self, server: params.Server, setting: str, headers: Mapping[str, str] | None = None) -> None:
        self.server, self.setting, self.headers = server, setting, headers
        self.url = server.url.rstrip("/")

    def send(self, requests: Sequence[JsonRequest], arrived: Callable[[int, Any], None] = ignore) -> list[Any]:
        """The JSON answers, in order. `arrived` is told the place and the answer of each request as it comes.

        Raises UserError for the first failure that stays, which ends all.
        """
        return asyncio.run(self._send(requests, arrived)) if requests else []

    async def _send(self, requests: Sequence[JsonRequest], arrived: Callable[[int, Any], None]) -> list[Any]:
        free = asyncio.Semaphore(self.server.concurrency)
        again = ExponentialRetry(
            attempts=self.server.retries + 1,
            start_timeout=PAUSE,
            statuses={429},
            exceptions=set(PASSING),
            evaluate_response_callback=whole,
        )
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self.server.timeout),
            headers=self.headers,
        )

        async def answered(client: RetryClient, index: int, method: str, path: str, body: Any) -> Any:
            async with free, client.request(method, self.url + path, json=body) as response:
                answer = self._read(path, response.status, await response.text())
            arrived(index, answer)
            return answer

        async with RetryClient(session, retry_options=again) as client:
            try:
                return await asyncio.gather(
                    *(answered(client, index, *request) for index, request in enumerate(requests))
                )
            except PASSING as error:
                raise UserError(
                    f"{self.url}: no answer after {self.server.retries + 1} attempts ({one_line(error)}); expected a "
                    f"running server ({self.setting}); what is finished is kept, and dvc repro goes on from there"
                ) from None
            finally:
                await session.close()

    def _read(self, path: str, status: int, text: str) -> Any:
        if status >= 400:
            raise UserError(f"{self.url}{path}: status {status}: {' '.join(text.split())[:300]}")
        try:
            return json.loads(text)
        except ValueError:
            return text  # a new adapter is confirmed in words
