"""Settings from a file and from the environment; mistakes say what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.settings import PROJECT, Settings, SettingsError, load


def written(folder: Path, text: str) -> Path:
    path = folder / "saldo.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALDO_BRAINTREE__URL", "http://127.0.0.1:1")
    path = written(tmp_path, '[braintree]\nurl = "http://127.0.0.1:2"\nmerchant_id = "m"\n')
    loaded = load(path).braintree
    assert (loaded.url, loaded.merchant_id) == ("http://127.0.0.1:1", "m")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[databse]\nurl = 'x'\n", "databse: there is no such setting"),
        ("[database]\nulr = 'x'\n", "database.ulr"),
        ("[database]\npool = 0\n", "database.pool"),
        ("[web]\nport = 99999\n", "web.port"),
        ("[company]\ncurrency = 'euro'\n", "company.currency"),
        ("not toml", "not valid TOML"),
        ("[recordings]\non = true\n", r"\[recordings\] is on, and its key has fewer than 32"),
        ("[recordings]\non = true\nkey = 'short'\n", "openssl rand -hex 32"),
        ("[capture]\nvoice = true\n", r"saldo\.toml: \[capture\] voice is on, and no language"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml cannot be read"):
        load(tmp_path / "absent.toml")


def test_a_wrong_secret_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    path = written(tmp_path, "[braintree]\nprivate_key = ['hunter2']\n")
    with pytest.raises(SettingsError) as raised:
        load(path)
    assert "hunter2" not in str(raised.value)


def test_secrets_do_not_show() -> None:
    shown = repr(Settings(braintree={"private_key": "hunter2"}))
    assert "hunter2" not in shown


def test_every_setting_is_on_the_page() -> None:
    page = (PROJECT / "docs/settings.md").read_text(encoding="utf-8")
    for section, field in Settings.model_fields.items():
        assert f"## [{section}]" in page
        assert field.annotation is not None
        for key in field.annotation.model_fields:
            assert f"| `{key}` |" in page, f"[{section}] {key}"
