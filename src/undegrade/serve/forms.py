"""Forms that hold one file and a few short fields: a client cannot fill the server's memory with others."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

FIELDS, LONGEST = 20, 4096
"""Most fields of a form, and most bytes of one: they are held in memory, the file is not."""


class _Bounded(Request):
    def form(self, **_: Any) -> Any:
        return super().form(max_files=1, max_fields=FIELDS, max_part_size=LONGEST)


class BoundedRoute(APIRoute):
    """A route that refuses other forms with status 400."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(_Bounded(request.scope, request.receive))

        return bounded
