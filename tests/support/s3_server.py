"""An S3 server and a proxy before it, as a process of their own that dies with the process that started it.

It prints both ports.
"""

import sys

import faulty_proxy
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from audiomnist.core.processes import die_with_parent


class Handler(WSGIRequestHandler):
    """Keeps connections, answers in one packet, and prints no requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - the name of werkzeug
        """Print nothing."""


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    sys.stdout.write(f"{server.port} {faulty_proxy.serve(server.port).server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
