"""A web server that keeps speech models as Vosk's does: a list, and a zip for each."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

ENGLISH = "vosk-model-small-en-us-0.15"
SPANISH = "vosk-model-small-es-0.42"


class FakeMirror:
    """What it serves may be changed while it runs; `asked` is what was asked for, in order."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.files: dict[str, bytes] = {}
        self.entries: list[dict[str, Any]] = []
        self.statuses: dict[str, int] = {}
        """a path → what is answered in place of the file"""
        self.breaks: list[int] = []
        """bytes after which the next answers break off"""
        self.tag = '"1"'
        """empty: the server cannot tell whether a file has changed, and sends all of it"""
        self.asked: list[tuple[str, str]] = []
        """path and Range"""

    def keep(self, name: str, lang: str, content: bytes, **other: object) -> None:
        """Put a model into the list, with what differs from an ordinary entry."""
        self.files[f"/{name}.zip"] = content
        self.entries.append(
            {
                "name": name,
                "lang": lang,
                "type": "small",
                "obsolete": "false",
                "size": len(content),
                "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            }
            | other
        )

    def answer(self, path: str) -> bytes | None:
        if path == "/model-list.json" and path not in self.files:
            return json.dumps(self.entries).encode()
        return self.files.get(path)


@contextmanager
def serving() -> Iterator[FakeMirror]:
    """It listens on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    mirror = server.mirror = FakeMirror(f"http://127.0.0.1:{server.server_port}/")  # type: ignore[attr-defined]  # handlers find it there
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        mirror: FakeMirror = self.server.mirror  # type: ignore[attr-defined]  # see serving()
        asked_range = self.headers.get("Range", "")
        mirror.asked.append((self.path, asked_range))
        content = mirror.answer(self.path)
        status = mirror.statuses.get(self.path, 404 if content is None else 200)
        if status != 200 or content is None:
            self.send_error(status)
            return
        start = 0
        if asked_range and mirror.tag and self.headers.get("If-Range") == mirror.tag:
            start = int(asked_range.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if mirror.tag:
            self.send_header("ETag", mirror.tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        is_zip = self.path.endswith(".zip")
        until = start + mirror.breaks.pop(0) if is_zip and mirror.breaks else len(content)
        self.wfile.write(content[start:until])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        return


def zipped(name: str, model: Path) -> bytes:
    """A model's folder as its zip: everything in one folder of that name."""
    files = {
        f"{name}/{file.relative_to(model)}": file.read_bytes()
        for file in sorted(model.rglob("*"))
        if file.is_file()
    }
    return packed(files)


def packed(files: Mapping[str, bytes], *, links: Mapping[str, str] | None = None) -> bytes:
    """A zip of these files, and of symbolic links."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)
        for path, target in (links or {}).items():
            entry = zipfile.ZipInfo(path)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, target)
    return out.getvalue()
