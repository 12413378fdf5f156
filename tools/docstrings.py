"""What the site does to docstrings before it shows them, as an extension of griffe, which reads them.

References such as :class:`Picture` become links, or plain code where the site has no such name. A name that a package
only passes on from one of its modules is shown once, where it is defined.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([\w.]+)`")


class Docstrings(griffe.Extension):
    """Works on the whole package once it is read, when every name can be resolved."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        self._walk(pkg)

    def _walk(self, obj: griffe.Object) -> None:
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(lambda found: self._link(obj, found[1]), obj.docstring.value)
        for name, member in list(obj.members.items()):
            if isinstance(member, griffe.Object):
                self._walk(member)
            elif obj.is_module and obj.parent is not None:
                obj.del_member(name)

    def _link(self, obj: griffe.Object, name: str) -> str:
        try:
            target = obj.modules_collection[name if name.startswith("undegrade.") else obj.resolve(name)]
            path, shown = target.canonical_path, target.has_docstring and target.is_public
        except (griffe.GriffeError, KeyError):
            return f"`{name}`"
        return f"[`{name}`][{path}]" if shown and path.startswith("undegrade.") else f"`{name}`"
