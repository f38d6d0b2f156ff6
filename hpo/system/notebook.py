"""Imported before Optuna: in a notebook its tqdm would warn of widgets that nobody needs here."""

import contextlib
import importlib
import warnings

with warnings.catch_warnings(), contextlib.suppress(ImportError):
    warnings.simplefilter("ignore")
    importlib.import_module("tqdm.auto")
