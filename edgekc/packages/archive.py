"""Files to a zip archive: the same files, the same bytes, on every machine and day."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows
_UNIX, _MODE = 3, 0o100644 << 16


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An archive of files by path. Nothing is compressed: what a compressor gives depends on its version."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path, data in sorted(files.items()):
            info = zipfile.ZipInfo(path, _EPOCH)
            info.create_system, info.external_attr = _UNIX, _MODE
            archive.writestr(info, data)
    return out.getvalue()
