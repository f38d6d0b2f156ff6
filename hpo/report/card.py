"""The model card of an exported forecaster: what it is, how good, how to use it, and its limits."""

import hpo.report.formats as fmt
from hpo.learn.bundle import Bundle
from hpo.study.catalogue import list_datasets
from hpo.study.config import StudyConfig
from hpo.system.counts import format_count
from hpo.trial.record import TrialRecord


def model_card(record: TrialRecord, bundle: Bundle, config: StudyConfig, example: bytes | None) -> str:
    """The page, in Markdown.

    Args:
        record: Of the trial.
        bundle: What forecasts.
        config: Of the study.
        example: The rows of ``example.csv``, if they are in the folder.
    """
    spec = next((each for each in list_datasets() if each.name == config.data.data), None)
    licence = "your own data" if spec is None or config.data.path is not None else spec.licence
    targets = ", ".join(f"`{_inline(target.name)}`" for target in bundle.targets)
    lines = [
        f"# {_inline(record.experiment)}, trial {record.trial_number}",
        "",
        f"Forecasts {targets} for the next {bundle.horizon} rows from the last {bundle.context_length}.",
        "",
        "| | |",
        "|---|---|",
        f"| task | {bundle.task} |",
        f"| model | {bundle.family}, {format_count(bundle.param_count)} parameters |",
        f"| data | {_inline(bundle.data.name)}, SHA-256 `{bundle.data.sha256}` |",
        f"| licence of the data | {_inline(licence)} |",
        f"| frequency | {_inline(bundle.frequency)} |",
        *(
            f"| {name} rows | {part.rows:,} from {part.start} to {part.end} |"
            for name, part in record.split.items()
        ),
        "",
        "## Scores",
        "",
        "On the validation part, which the search has seen: expect less on new data. The test part was not "
        "used.",
        "",
        "| metric | this model | " + _inline(record.naive.name) + " |",
        "|---|---|---|",
        *(
            f"| {name} | {fmt.score(value)} | {fmt.score(record.naive.metrics.get(name))} |"
            for name, value in bundle.scores.get("val", {}).items()
        ),
        "",
        *_verdict(bundle),
        "## How to use it",
        "",
        "    hpo predict FOLDER --data new.csv",
        "",
        "or in Python `hpo.load(folder).predict(frame)`. Rows need the columns "
        + ", ".join(f"`{_inline(name)}`" for name in dict.fromkeys(each.column for each in bundle.channels))
        + f", and at least {bundle.context_length} of them.",
        "",
        "## Limits",
        "",
        "It knows nothing beyond its training rows: new levels, new categories and new seasons are foreign "
        "to it. The hashes in `config.json` detect damage; they say nothing of who made this folder.",
    ]
    if example is not None:
        lines += ["", "`example.csv` holds the last rows of the data that the model was trained on."]
    return "\n".join(lines) + "\n"


def _verdict(bundle: Bundle) -> list[str]:
    text = (bundle.verdict or {}).get("text")
    return [f"Verdict: {_inline(str(text))}", ""] if text else []


def _inline(text: str) -> str:
    """A name on one line of a table."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return plain.replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
