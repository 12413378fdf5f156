"""Tables as files, and the libraries that only figures need."""

from pathlib import Path

import pytest

from undegrade.analysis.extra import need
from undegrade.analysis.tables import write, write_csv
from undegrade.errors import UndegradeError


def test_a_table_has_six_digits_and_nothing_for_none(tmp_path: Path) -> None:
    file = write_csv(
        tmp_path / "new" / "a.csv", ["name", "dB"], [["plain", 30.1234567], ["with, comma", None], ["", 7]]
    )
    assert file.read_text() == 'name,dB\nplain,30.1235\n"with, comma",\n,7\n'


def test_a_file_where_a_folder_should_be_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(UndegradeError, match=r"a/b\.csv: cannot be written .*; check the folder"):
        write(tmp_path / "a" / "b.csv", b"x")
    assert (tmp_path / "a").read_text() == "a file"


def test_a_missing_library_is_named_with_the_way_to_get_it() -> None:
    assert need("math").pi > 3
    with pytest.raises(UndegradeError, match=r"needs nowhere, .* pip install 'undegrade\[analyse\]'"):
        need("nowhere.at_all")
