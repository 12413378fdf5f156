"""What the site does to docstrings before it shows them, as an extension of griffe, which reads them.

References such as :class:`Picture` become links, or plain code where the site has no such name. A name that a package
only passes on from one of its modules is shown once, where it is defined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import griffe

ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?([\w.]+)`")


class Docstrings(griffe.Extension):
    """Works on the whole package once it is read, when every name can be resolved."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        objects = list(_objects(pkg))
        for obj in objects:
            if obj.docstring is not None:
                obj.docstring.value = ROLE.sub(lambda found, obj=obj: self._link(obj, found[1]), obj.docstring.value)
        # Only now: the references were resolved by way of these names.
        for obj in objects:
            if obj.is_module and obj is not pkg:
                for name in [name for name, member in obj.members.items() if member.is_alias]:
                    obj.del_member(name)

    def _link(self, obj: griffe.Object, name: str) -> str:
        try:
            target = obj.modules_collection[name if name.startswith("undegrade.") else obj.resolve(name)]
            path, shown = target.canonical_path, target.has_docstring and target.is_public
        except (griffe.GriffeError, KeyError):
            return f"`{name}`"
        return f"[`{name}`][{path}]" if shown and path.startswith("undegrade.") else f"`{name}`"


def _objects(obj: griffe.Object) -> Iterator[griffe.Object]:
    yield obj
    for member in obj.members.values():
        if not member.is_alias:
            yield from _objects(member)
