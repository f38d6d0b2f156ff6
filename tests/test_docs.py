"""What the docs say is what is there."""

import json
import re
from pathlib import Path

from hpo.records import TrialRecord

ROOT = Path(__file__).parent.parent


def test_the_published_schema_is_that_of_the_records():
    """Regenerate it with: python -m tests.test_docs, from the project's folder."""
    published = json.loads((ROOT / "docs" / "trial.schema.json").read_text())
    assert published == TrialRecord.model_json_schema()


def test_the_readme_maps_every_file():
    text = (ROOT / "README.md").read_text().split("## Map of the code")[1]
    for folder in ("hpo", "models", "data"):
        for path in (ROOT / folder).glob("*.py"):
            if path.stem.startswith("__"):
                continue
            assert re.search(rf"\b{path.stem}\b", text), f"the README's map leaves out {folder}/{path.name}"


def test_links_and_pictures_exist():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


if __name__ == "__main__":
    schema = json.dumps(TrialRecord.model_json_schema(), indent=1)
    (ROOT / "docs" / "trial.schema.json").write_text(schema + "\n")
