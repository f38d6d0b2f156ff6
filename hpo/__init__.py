"""Budget-aware hyperparameter search for forecasting models.

``hpo.models``, ``hpo.data`` and ``hpo.studies`` are the top-level folders ``models/``, ``data/`` and
``studies/`` of a checkout: names too common to install on their own. An installed wheel carries them
inside this package; from an uninstalled checkout the hook below finds them beside it.
"""

from pathlib import Path

if not (Path(__file__).parent / "models").is_dir():
    __path__.append(str(Path(__file__).parent.parent))
