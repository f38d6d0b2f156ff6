"""optuna-dashboard over the study database, for this machine alone."""

import socket

from optuna_dashboard import run_server

from hpo.errors import ConfigError
from hpo.store.database import open_existing

HOST = "127.0.0.1"
"""The dashboard has no login and can delete studies: it is never bound wider."""


def serve(storage_url: str, port: int) -> None:
    """Serve the dashboard until interrupted.

    Raises:
        StorageError: There is no database.
        ConfigError: The port is taken.
    """
    with open_existing(storage_url) as database:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise ConfigError(
                    f"port {port} on {HOST} is taken ({error.strerror}); give another port"
                ) from error
        print(f"optuna-dashboard on http://{HOST}:{port}/ (Ctrl-C stops it)", flush=True)
        run_server(database.storage, host=HOST, port=port)
