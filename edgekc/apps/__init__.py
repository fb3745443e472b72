"""A model to a project around it: firmware that takes what a sensor gives and says what was found in it.

`APPS` is the list, one small module a kind; `write.py` makes the folder.
"""

from __future__ import annotations

from . import blank, keyword, sensor, vision
from .app import App

APPS: dict[str, App] = {module.APP.kind: module.APP for module in (blank, keyword, sensor, vision)}
