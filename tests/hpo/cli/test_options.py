"""The flags of a study are its settings, and what is typed is what the config gets."""

import re

import pytest
import typer
from typer.testing import CliRunner

from hpo.cli.main import app
from hpo.cli.options import flag_of, study_command
from hpo.study.config import build_config, sections, settings


@pytest.fixture(scope="module")
def help_text():
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["run", "--help"]).stdout


@pytest.fixture
def command():
    """A command that takes settings, and the configs it has been given."""
    seen = []
    own = typer.Typer()
    own.callback()(lambda: None)  # a list of commands, as hpo is

    @study_command(own, epilog="Example: show")
    def show(config, twice: bool = False):
        """Show."""
        seen.extend([config] * (1 + twice))

    def call(*arguments):
        done = CliRunner().invoke(own, ["show", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return seen

    return call


def test_every_setting_is_a_flag_in_the_panel_of_its_table_with_its_default(help_text):
    panels = re.split(r"^╭─ (\w+)[^\n]*\n", help_text, flags=re.MULTILINE)[1:]
    panels = dict(zip(panels[::2], panels[1::2], strict=True))
    assert list(panels) == ["Options", *(name.capitalize() for name in sections())]
    found = {}
    for name in sections():
        for part in re.split(r"^│ (?=--)", panels[name.capitalize()], flags=re.MULTILINE)[1:]:
            found[part.split()[0]] = (name, " ".join(part.replace("│", " ").split()))
    assert found.keys() == {flag_of(key) for key in settings()}
    for key, setting in settings().items():
        table, text = found[flag_of(key)]
        assert table == setting.table
        assert setting.description[1:40] in text
        if setting.default is not None and setting.kind is not bool:
            assert f"[default: {setting.default}]" in text


def test_only_what_is_typed_is_given(command, tmp_path):
    (tmp_path / "my.toml").write_text("[search]\ntrials = 5\nprune = false\n[training]\nepochs = 7\n")
    (config,) = command(f"--study={tmp_path / 'my.toml'}", "--epochs=50", "--budget=750k")
    assert config == build_config({"trials": 5, "prune": False, "epochs": 50, "budget": "750k"})


def test_a_command_keeps_its_own_options(command):
    assert command("--twice", "--no-prune") == [build_config({"prune": False})] * 2


@pytest.mark.parametrize("key", sorted(settings()))
def test_every_flag_reaches_its_key(command, key):
    setting = settings()[key]
    values = {int: "7", float: "0.5", str: (setting.choices or ("psann",))[-1], bool: None}
    odd = {"budget": "3M", "objective": "auc", "data": "my.csv"}
    given = ["--data=my.csv"] if setting.of_a_file else []
    value = odd.get(key, values.get(setting.kind, "here"))
    (config,) = command(*given, flag_of(f"no_{key}") if value is None else f"{flag_of(key)}={value}")
    reached = getattr(getattr(config, setting.table), key)
    assert str(reached) == (value or "False")
