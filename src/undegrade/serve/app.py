"""The service for programs: health, models, restore, estimate; and the page with its own calls."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.background import BackgroundTask

import undegrade
from undegrade.errors import UndegradeError
from undegrade.serve import pages
from undegrade.serve.archive import ZIP, zipped
from undegrade.serve.desks import TYPES, Desks, plain_name, result_name
from undegrade.serve.forms import BoundedRoute
from undegrade.serve.guard import LOCAL, App, Guard
from undegrade.serve.limits import Limits
from undegrade.serve.pool import Full, Pool
from undegrade.serve.request_options import RequestOptions, SaveAs

FOUND = "X-Undegrade-Found"
"""The header with what was found, as JSON in ASCII."""
TIDY = 15.0
"""Seconds between two looks for pages that are closed."""


@dataclass(frozen=True)
class Service:
    """What a service is made with.

    Attributes:
        folder: private, for all files.
        limits: what clients may use.
        names: host names under which it may be called.
        token: that every call needs; None for none.
        device: see :func:`undegrade.inference.load.load_pipeline`.
        log_names: whether its lines name pictures.
        visit: name and value of the cookie of its pages, see :class:`undegrade.serve.guard.Guard`.
    """

    folder: Path
    limits: Limits = field(default_factory=Limits)
    names: tuple[str, ...] = LOCAL
    token: str | None = None
    device: str | None = None
    log_names: bool = False
    visit: tuple[str, str] = field(
        default_factory=lambda: (f"undegrade-{secrets.token_hex(4)}", secrets.token_urlsafe(24))
    )

    def log(self, name: str, line: str) -> None:
        """One line for something that ended; pictures have no names in it unless asked for."""
        print(f"{name if self.log_names else 'a picture'}: {line}", file=sys.stderr, flush=True)


def make_app(service: Service) -> App:
    """The whole service, guarded, as an ASGI application."""
    pool = Pool(service.folder, service.limits, service.device)
    desks = Desks(service.folder, pool, service.limits, service.log)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await pool.start()
        tidying = asyncio.create_task(_tidy(desks))
        yield
        tidying.cancel()
        desks.close_all()
        await pool.stop()

    app = FastAPI(
        title="undegrade",
        version=undegrade.__version__,
        description="Blind image restoration that says what it found.",
        lifespan=life,
        docs_url=None,  # FastAPI's pages fetch scripts from another site; /api is ours
        redoc_url=None,
    )
    app.router.route_class = BoundedRoute
    app.state.service, app.state.pool, app.state.desks = service, pool, desks

    @app.exception_handler(UndegradeError)
    async def refused(request: Request, error: UndegradeError) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
        return JSONResponse({"detail": f"{field or 'the request'}: {first['msg'].lower()}; see /api."}, 422)

    @app.exception_handler(Full)
    async def full(request: Request, error: Full) -> Response:
        return JSONResponse({"detail": str(error)}, 429, {"Retry-After": str(error.wait)})

    _add_calls(app, service, pool)
    app.include_router(pages.router)
    return Guard(app, service.limits, service.names, service.token, service.visit, pages.is_free)


async def _tidy(desks: Desks) -> None:
    while True:
        await asyncio.sleep(TIDY)
        desks.tidy()


def asked(
    task: Annotated[str | None, Form(description="Its name; left out, it is chosen by the picture.")] = None,
    strength: Annotated[float, Form(description="0 nothing, 1 the model's own result, up to 4.")] = 1.0,
    sigma: Annotated[float | None, Form(description="Replaces the estimated noise level, 0 to 255.")] = None,
    quality: Annotated[float | None, Form(description="Replaces the estimated JPEG quality, 1 to 100.")] = None,
    samples: Annotated[int, Form(description="Latents drawn; the result is the mean. 0, or 2 to 32.")] = 0,
    save_as: Annotated[SaveAs, Form(description="The file format of the result.")] = "same",
    strip_metadata: Annotated[bool, Form(description="Leave out place, camera and comments.")] = False,
    uncertainty: Annotated[
        bool, Form(description="The answer is a zip: the result, and how far off it may be.")
    ] = False,
) -> RequestOptions:
    """The options as form fields."""
    return RequestOptions(task or None, strength, sigma, quality, samples, save_as, strip_metadata, uncertainty)


Picture = Annotated[UploadFile, File(description="PNG, JPEG, WebP, TIFF, AVIF, BMP, GIF or PPM.")]


def _add_calls(app: FastAPI, service: Service, pool: Pool) -> None:
    @app.get("/health", tags=["service"])
    async def health() -> dict[str, Any]:
        """Whether the service works, and how many jobs wait."""
        status: Literal["ok", "starting"] = "ok" if pool.is_ready else "starting"
        return {
            "status": status, "version": undegrade.__version__, "waiting": pool.waiting,
            "queue": service.limits.queue, "restarts": pool.restarts,
        }  # fmt: skip

    @app.get("/models", tags=["service"])
    async def models() -> list[dict[str, Any]]:
        """The shipped models: what they restore and what they read off a picture."""
        await pool.ready()
        return pool.models

    @app.post(
        "/restore", tags=["pictures"], response_class=Response,
        responses={
            200: {
                "content": {"image/*": {}, "application/zip": {}},
                "description": f"The restored file, or with uncertainty a zip; {FOUND}: what was found.",
            }
        },
    )  # fmt: skip
    async def restore(request: Request, file: Picture, wanted: Annotated[RequestOptions, Depends(asked)]) -> Response:
        """Restore one file as the command line does: the result is the same, bit for bit."""
        folder = await _received(service, file)
        try:
            message = {
                "do": "restore", "source": str(folder / "source"), "folder": str(folder),
                "output": str(folder / "result"), "asked": vars(wanted), "views": False,
            }  # fmt: skip
            record = await _unless_gone(request, pool, message)
            name = plain_name(file.filename or "")
            format = record.pop("result")["format"]
            path, named, kind = folder / "result", result_name(name, format, wanted.save_as), TYPES[format]
            if wanted.uncertainty:
                path, named, kind = await asyncio.to_thread(zipped, path, named), f"{Path(named).stem}.zip", ZIP
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        service.log(name, f"restore: {record['status']} in {record['seconds']:.1f} s")
        return FileResponse(
            path, media_type=kind, filename=named,
            headers={FOUND: json.dumps(record)}, background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
        )  # fmt: skip

    @app.post("/estimate", tags=["pictures"])
    async def estimate(
        request: Request, file: Picture,
        task: Annotated[str | None, Form(description="Whose model reads; left out, the universal one.")] = None,
    ) -> dict[str, Any]:  # fmt: skip
        """What was done to a picture: named numbers with unit and spread, and the task that would restore it."""
        folder = await _received(service, file)
        facts: dict[str, Any] = {}
        message = {
            "do": "look", "source": str(folder / "source"), "folder": str(folder), "views": False, "task": task or None,
        }  # fmt: skip
        try:
            found = await _unless_gone(request, pool, message, facts)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        service.log(plain_name(file.filename or ""), "estimate: done")
        kept = ("width", "height", "channels", "bits", "format", "notes")
        readings = [{k: v for k, v in one.items() if k != "map"} for one in found["found"]]
        return {k: facts.get(k) for k in kept} | found | {"found": readings}


async def _received(service: Service, file: UploadFile) -> Path:
    """A new folder with the uploaded file in it."""
    if file.size is not None and file.size > service.limits.bytes:
        raise UndegradeError(f"the file is larger than {service.limits.bytes / 1e6:g} MB; allow more with --max-bytes.")
    folder = service.folder / f"call-{secrets.token_hex(12)}"
    folder.mkdir(mode=0o700)
    with (folder / "source").open("wb") as target:
        while chunk := await file.read(1 << 20):
            target.write(chunk)
    return folder


async def _unless_gone(
    request: Request, pool: Pool, message: dict[str, Any], facts: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Do a job; give it up when the client goes."""
    job = asyncio.create_task(pool.run(message, None if facts is None else facts.update))
    try:
        while not (await asyncio.wait({job}, timeout=0.5))[0]:
            if await request.is_disconnected():
                raise UndegradeError("the client has gone.")
        return job.result()
    finally:
        if not job.done():
            job.cancel()
            with suppress(asyncio.CancelledError):
                await job
