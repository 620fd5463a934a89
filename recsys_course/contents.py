"""What JupyterLab may write: a learner's ``my/`` and nothing else of the clone.

Solutions can be opened, run and read, but an autosave never changes a file that git tracks.
"""

import posixpath
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError


class LearnersContents(AsyncLargeFileManager):
    """JupyterLab's own file manager, which shows everything outside ``my/`` as read-only."""

    def is_writable(self, path: str) -> bool:
        """Whether a file or folder may be changed; JupyterLab does not save one that may not."""
        return _is_mine(path) and super().is_writable(path)

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Save a file of ``my/``."""
        _refuse_others(path)
        return await super().save(model, path)

    async def rename_file(self, old_path: str, new_path: str) -> None:
        """Move a file within ``my/``."""
        _refuse_others(old_path)
        _refuse_others(new_path)
        await super().rename_file(old_path, new_path)

    async def delete_file(self, path: str) -> None:
        """Delete a file of ``my/``."""
        _refuse_others(path)
        await super().delete_file(path)


def _is_mine(path: str) -> bool:
    return posixpath.normpath(path.strip("/")).split("/")[0] == "my"


def _refuse_others(path: str) -> None:
    if not _is_mine(path):
        raise HTTPError(403, f"{path} belongs to the course: save a copy of it in my/ and work there")
