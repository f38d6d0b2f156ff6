"""What the docs say is what is there. Write the generated ones again with: python -m tests.test_docs"""

import ast
import json
import re
from pathlib import Path

from hpo.cli.options import flag_of
from hpo.errors import BudgetError
from hpo.models.base import ForecastShape
from hpo.search.plan import make_plan
from hpo.study.catalogue import list_families
from hpo.study.config import sections, settings
from hpo.system.counts import format_budget, format_count
from hpo.trial.record import TrialRecord
from tests.test_imports import ORDER

ROOT = Path(__file__).parent.parent
BUDGETS = (750_000, 2_000_000, 20_000_000, 200_000_000, 2_000_000_000)
SIZES = """# What each family builds at each budget

On sp500 at its defaults: {shape.context_length} rows of {shape.n_channels} channels, one output. A cell has
the shallow and the deep forced config as width x depth, with the parameter count and its distance from the
budget, then the depths that hold the budget within 2 % in every variant of the search space. `*` marks the
published shapes, which patchtst and itransformer take verbatim. geosparse's width is its fan-in: it has as
many neurons a layer as the window has numbers. The widths are solved from exact counts; no model is built for
this table, and `tests/models/test_sizing.py` compares the counts with real builds.

| model | {budgets} |
|---|{rules}|
{rows}
"""

SETTINGS_START = "<!-- settings: written by python -m tests.test_docs -->\n"
SETTINGS_END = "<!-- end -->\n"


def test_the_published_schema_is_that_of_the_records():
    """Regenerate it with: python -m tests.test_docs, from the project's folder."""
    published = json.loads((ROOT / "docs" / "trial.schema.json").read_text())
    assert published == TrialRecord.model_json_schema()


def sizes_page():
    """The page docs/model-sizes.md."""
    shape = ForecastShape(context_length=80, n_channels=26, n_outputs=1)
    rows = []
    for family in list_families():
        cells = [f"`{family.name}`"]
        for budget in BUDGETS:
            try:
                plan = make_plan(family, shape, (budget,))
            except BudgetError as error:
                cells.append(reachable_part(str(error)))
                continue
            specs = [trial.spec for trial in plan.forced if ":architecture:" in trial.origin]
            lines = [
                f"{spec.model.d_model} x {spec.model.n_layers}: {format_count(spec.param_count)}"
                f"{'*' if spec.canonical else ''} ({spec.deviation:+.1%})"
                for spec in specs
            ]
            depths = sorted(set.intersection(*(set(depths) for depths in plan.depths.values())))
            cells.append("<br>".join([*lines, f"depths {depths[0]} to {depths[-1]}"]))
        rows.append(f"| {' | '.join(cells)} |")
    return SIZES.format(
        shape=shape,
        budgets=" | ".join(map(format_budget, BUDGETS)),
        rules="|".join("---" for _ in BUDGETS),
        rows="\n".join(rows),
    )


def reachable_part(message):
    """The sizes in an error of the plan."""
    found = re.search(r"go from ([\d,]+ to [\d,]+) parameters|: ([\d,]+) parameters", message)
    return f"out of reach: {found[1]}" if found[1] else f"one size: {found[2]}"


def test_the_table_of_sizes_is_what_the_plan_says():
    assert (ROOT / "docs" / "model-sizes.md").read_text() == sizes_page()


def commands_page():
    """The page docs/commands.md, with the tables of flags that the settings' fields give."""
    text = (ROOT / "docs" / "commands.md").read_text()
    start, rest = text.split(SETTINGS_START)
    return start + SETTINGS_START + settings_tables() + SETTINGS_END + rest.split(SETTINGS_END)[1]


def settings_tables():
    """A table of flags for each table of a study file."""
    lines = []
    for name in sections():
        rows = [setting for setting in settings().values() if setting.table == name]
        lines += [
            f"\n**[{name}]** {rows[0].panel}\n",
            "| flag | takes | default | meaning |",
            "|---|---|---|---|",
        ]
        for row in rows:
            flag, default = flag_of(row.key), row.default or ""
            if row.kind is bool:
                no = flag_of(f"no_{row.key}")
                flag, default = f"{flag}`, `{no}", flag if default == "True" else no
            lines.append(f"| `{flag}` | {row.takes} | {default} | {row.description} |")
    free = [
        f"`{flag_of(key)}`" for key, row in settings().items() if not row.in_identity and key != "experiment"
    ]
    lines.append(f"\nThese alone may change under one name: {', '.join(free)}.\n")
    return "\n".join(lines) + "\n"


def test_the_flags_of_the_commands_page_are_the_settings():
    assert (ROOT / "docs" / "commands.md").read_text() == commands_page()


MAP = re.compile(r"(<!-- map: [^\n]* -->\n).*?(<!-- end of the map -->)", re.DOTALL)


def first_line(path):
    """The first sentence of a module's docstring."""
    return ast.get_docstring(ast.parse(path.read_text())).split("\n")[0].rstrip(".")


def code_map():
    """Each package from top to bottom, with the first line of each of its modules."""
    lines = []
    for package in ORDER:
        folder = ROOT / package if package in ("models", "data", "studies") else ROOT / "hpo" / package
        if not folder.is_dir():
            lines.append(f"- **`hpo/{package}.py`** {first_line(folder.with_suffix('.py'))}.")
            continue
        where = folder.relative_to(ROOT)
        lines.append(f"- **`{where}/`** {first_line(folder / '__init__.py')}.")
        for path in sorted(folder.rglob("*.py")):
            if path != folder / "__init__.py":
                name = path.relative_to(folder).with_suffix("")
                lines.append(f"  - `{str(name).removesuffix('/__init__')}` {first_line(path)}")
    return "\n".join(lines) + "\n"


def architecture_page():
    """docs/architecture.md with the map as it is."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert MAP.search(text)
    return MAP.sub(lambda match: f"{match[1]}\n{code_map()}\n{match[2]}", text)


def test_the_map_names_every_file():
    assert (ROOT / "docs" / "architecture.md").read_text() == architecture_page()


def test_links_and_pictures_exist():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


if __name__ == "__main__":
    (ROOT / "docs" / "architecture.md").write_text(architecture_page())
    schema = json.dumps(TrialRecord.model_json_schema(), indent=1)
    (ROOT / "docs" / "trial.schema.json").write_text(schema + "\n")
    (ROOT / "docs" / "model-sizes.md").write_text(sizes_page())
    (ROOT / "docs" / "commands.md").write_text(commands_page())
