"""Every kind of file is read, written back or refused as docs/files.md says."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.image import page
from tests.image.checks import KINDS
from tests.image.kinds import Kind
from tests.image.page import together
from undegrade.image import read


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_read_as_it_should_be_or_refused(name: str, tmp_path: Path) -> None:
    kind: Kind = KINDS[name]
    seen, back = page.outcome(kind, tmp_path)
    assert f"| {kind.format} | {kind.name} | {seen} | {back} |\n" in page.PAGE.read_text(encoding="utf-8")
    if kind.pixels is None:
        assert back == f"refused: it {kind.refused}"
        return
    found = together(read(tmp_path / "kind"))
    assert found.dtype == kind.pixels.dtype
    assert found.shape == kind.pixels.shape
    assert np.abs(found.astype(int) - kind.pixels).max() <= kind.off_by


def test_the_page_of_kinds_is_up_to_date() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", text.partition("<!-- kinds -->")[2].partition("<!-- end -->")[0], re.M)
    assert [" ".join(row) for row in rows[1:]] == list(KINDS)
    assert f"<!-- said -->\n{page.said()}<!-- end -->" in text
