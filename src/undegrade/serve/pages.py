"""The page's own files, and the calls that it makes: a desk of pictures, events, parts at another strength."""

from __future__ import annotations

import asyncio
import functools
import importlib.resources
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from undegrade.errors import UndegradeError
from undegrade.serve.archive import ZIP, write_zip
from undegrade.serve.desks import TYPES, Desk, Item
from undegrade.serve.pool import Full
from undegrade.serve.request_options import RequestOptions

LARGEST_PART = 1024
"""Longest side of a part, in pixels."""
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


@functools.cache
def own_files() -> dict[str, bytes]:
    """The page's files by name."""
    folder = importlib.resources.files("undegrade") / "serve" / "page"
    return {file.name: file.read_bytes() for file in folder.iterdir() if Path(file.name).suffix in _KINDS}


def is_free(path: str) -> bool:
    """Whether a path is one of the page's own files."""
    return path in ("/", "/api") or path.removeprefix("/page/") in own_files()


def _own(name: str) -> Response:
    content = own_files().get(name)
    if content is None:
        raise HTTPException(404, "there is no such file.")
    return Response(content, media_type=_KINDS[Path(name).suffix], headers={"cache-control": "no-cache"})


@router.get("/")
async def index() -> Response:
    return _own("index.html")


@router.get("/api")
async def api() -> Response:
    return _own("api.html")


@router.get("/page/{name}")
async def page(name: str) -> Response:
    return _own(name)


@router.get("/favicon.ico")
async def icon() -> Response:
    return Response(status_code=204)


def desk_of(request: Request, desk: str) -> Desk:
    """The page that calls."""
    found: Desk | None = request.app.state.desks.get(desk)
    if found is None:
        raise HTTPException(404, "this page was closed; load it again.")
    return found


def item_of(desk: Annotated[Desk, Depends(desk_of)], picture: int) -> Item:
    """A picture of it."""
    item = desk.items.get(picture)
    if item is None:
        raise HTTPException(404, "there is no such picture.")
    return item


ADesk = Annotated[Desk, Depends(desk_of)]
AnItem = Annotated[Item, Depends(item_of)]


@router.post("/desks")
async def open_desk(request: Request, response: Response) -> dict[str, Any]:
    service = request.app.state.service
    if service.token is not None:  # for what cannot send headers: pictures and events
        name, value = service.visit
        response.set_cookie(name, value, httponly=True, samesite="strict")
    limits = service.limits
    return {
        "desk": request.app.state.desks.open(),
        "limits": {"bytes": limits.bytes, "pixels": limits.pixels, "pictures": limits.pictures},
    }


@router.delete("/desks/{desk}")
async def close_desk(request: Request, desk: str) -> None:
    request.app.state.desks.close(desk)


@router.get("/desks/{desk}/events")
async def events(desk: ADesk) -> Response:
    async def stream() -> AsyncIterator[bytes]:
        async for event in desk.events():
            yield b"data: " + json.dumps(event).encode() + b"\n\n" if event else b": here\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


@router.post("/desks/{desk}/pictures")
async def add(request: Request, desk: ADesk, name: Annotated[str, Query(max_length=1000)] = "") -> dict[str, Any]:
    pool = request.app.state.pool
    limits = request.app.state.service.limits
    if pool.waiting >= limits.queue:
        raise Full(pool.wait)
    item = desk.add(name)
    try:
        size = 0
        with item.source.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.bytes:
                    raise HTTPException(413, f"the file is larger than {limits.bytes / 1e6:g} MB.")
                file.write(chunk)
        desk.look(item)
    except BaseException:
        desk.remove(item)
        raise
    return {"picture": item.number, "name": item.name}


@router.post("/desks/{desk}/pictures/{picture}/restore")
async def restore(desk: ADesk, item: AnItem, asked: Annotated[dict[str, Any], Body()]) -> dict[str, str]:
    wanted = RequestOptions.of(asked)
    desk.restore(item, wanted)
    return {"command": wanted.command(item.name)}


@router.post("/desks/{desk}/pictures/{picture}/cancel")
async def cancel(desk: ADesk, item: AnItem) -> None:
    desk.cancel(item)


@router.delete("/desks/{desk}/pictures/{picture}")
async def remove(desk: ADesk, item: AnItem) -> None:
    desk.remove(item)


@router.post("/desks/{desk}/pictures/{picture}/part")
async def part(
    desk: ADesk, item: AnItem, asked: Annotated[dict[str, Any], Body()],
    rows: Annotated[list[int], Body(min_length=2, max_length=2)],
    columns: Annotated[list[int], Body(min_length=2, max_length=2)],
) -> Response:  # fmt: skip
    if max(rows[1] - rows[0], columns[1] - columns[0]) > LARGEST_PART:
        raise UndegradeError(f"a part of {rows} x {columns} is too large; give at most {LARGEST_PART} pixels a side.")
    return Response(await desk.part(item, RequestOptions.of(asked), rows, columns), media_type="image/png")


@router.get("/desks/{desk}/pictures/{picture}/{name}")
async def file(item: AnItem, name: str, download: bool = False) -> Response:
    path = item.file(name)
    if path is None:
        raise HTTPException(404, "there is no such file any more.")
    result = item.result is not None and name == item.result["file"]
    if path.suffix == ".png":
        kind = "image/png"
    else:
        of_result = item.result["result"]["format"] if result and item.result is not None else None
        kind = TYPES.get(of_result or item.facts.get("format", ""), "application/octet-stream")
    given = item.result["name"] if download and result and item.result is not None else None
    return FileResponse(path, media_type=kind, filename=given)


@router.get("/desks/{desk}/zip")
async def everything(desk: ADesk) -> Response:
    """All results in one file."""
    done = [(item.folder / item.result["file"], item.result["name"]) for item in desk.items.values() if item.result]
    if not done:
        raise HTTPException(404, "no picture is restored yet.")
    path = desk.folder / f"all-{secrets.token_hex(8)}.zip"
    await asyncio.to_thread(write_zip, path, done)
    return FileResponse(path, media_type=ZIP, filename="restored.zip", background=BackgroundTask(path.unlink, True))
