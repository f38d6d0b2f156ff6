"""The study database."""

import subprocess
import sys


def test_processes_that_make_a_database_at_once_all_open_it(tmp_path):
    url = f"sqlite:///{tmp_path}/new/studies.db"
    script = (
        "from hpo.storage import open_storage, study_names\n"
        f"with open_storage({url!r}) as storage: print(study_names(storage))"
    )
    opening = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(5)
    ]
    for process in opening:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
        assert output == b"[]\n"
