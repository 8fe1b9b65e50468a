"""What is sealed can be read with the key and for its purpose only; keys can be changed."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from common.config import CommonSettings
from common.vault import SealError, Vault

FIRST, SECOND = "the first key, of more than 32 bytes", "the second key, also more than 32 bytes"


def vault(**values: Any) -> Vault:
    return Vault(CommonSettings.model_validate({"environment": "test", **values}))


def test_only_the_key_and_the_purpose_open() -> None:
    sealed = vault(encryption_key=FIRST).seal("whsec_x\nü", "webhook:1")
    assert "whsec" not in sealed
    assert vault(encryption_key=FIRST).open(sealed, "webhook:1") == "whsec_x\nü"
    assert sealed != vault(encryption_key=FIRST).seal("whsec_x\nü", "webhook:1")
    for wrong, key, purpose in (
        (sealed, FIRST, "webhook:2"),
        (sealed, SECOND, "webhook:1"),
        (sealed[:-4] + "AAAA", FIRST, "webhook:1"),
        ("whsec_x", FIRST, "webhook:1"),
        ("", FIRST, ""),
    ):
        with pytest.raises(SealError):
            vault(encryption_key=key).open(wrong, purpose)


def test_previous_key_still_opens_and_seals_nothing() -> None:
    old, changed = vault(encryption_key=FIRST), vault(encryption_key=SECOND, encryption_previous_key=FIRST)
    assert changed.open(old.seal("x", "p"), "p") == "x"
    assert changed.seal("x", "p").startswith(vault(encryption_key=SECOND).mark)
    with pytest.raises(SealError):
        old.open(changed.seal("x", "p"), "p")


def test_without_a_key_one_is_kept_in_the_data_folder(tmp_path: Path) -> None:
    first, second = vault(data_dir=tmp_path), vault(data_dir=tmp_path)
    assert second.open(first.seal("x", "p"), "p") == "x"
    assert (tmp_path / "encryption-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "values",
    [{"encryption_key": "short"}, {"encryption_key": "a" * 40}, {"encryption_previous_key": FIRST}],
)
def test_keys_that_protect_nothing_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="ENCRYPTION_"):
        vault(**values)
