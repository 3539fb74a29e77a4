"""python manage.py up: web, workers and schedule in one terminal, until Ctrl-C."""

import http.client
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import Error as DatabaseFailure
from django.db import connection, connections

from curation.errors import ConfigError
from s1web import preparation
from s1web.jobs.kinds import CPU, GPU
from s1web.management.base import Command as BaseCommand
from s1web.processes import Part, Say, Supervisor

# a worker of the queue gpu runs one job a GPU, whatever more it may
_MOST_GPU_JOBS = 8
_ASK_SECONDS = 30.0
_ASK_AGAIN_SECONDS = 0.5
# requests that wait while the web server starts again
_BACKLOG = 512
_COLOURS = {"up": "1", "web": "36", "worker-cpu": "32", "worker-gpu": "35", "beat": "33"}
_NAME_WIDTH = max(map(len, _COLOURS))


class Command(BaseCommand):
    help = "Start the web server, a worker for each queue and the schedule, until Ctrl-C; what ends starts again."

    def add_arguments(self, parser: CommandParser) -> None:
        # no --json: this command has no result, it goes on
        self.add_options(parser)

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address of the pages (default: 127.0.0.1)")
        port = "port of the pages; 0 is any that is free (default: 8000)"
        parser.add_argument("--port", type=int, default=8000, metavar="N", help=port)
        cpu = "jobs at a time on the queue cpu; 0 for none (default: WORKER_SLOTS)"
        parser.add_argument("--cpu", type=int, metavar="N", default=settings.WORKER_SLOTS, help=cpu)
        gpu = f"jobs at a time on the queue gpu, at most one a GPU; 0 for none (default: {_MOST_GPU_JOBS})"
        parser.add_argument("--gpu", type=int, metavar="N", default=_MOST_GPU_JOBS, help=gpu)
        parser.add_argument("--no-web", action="store_true", help="workers alone, as on a host that has only to work")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("cpu", "gpu"):
            if options[name] < 0:
                raise ConfigError(f"--{name} {options[name]} is no number of jobs; give 0 or more")
        if not 0 <= options["port"] <= 65_535:
            raise ConfigError(f"--port {options['port']} is no port; give 1 to 65535, or 0 for any that is free")
        if options["no_web"] and not (options["cpu"] or options["gpu"]):
            raise ConfigError("--no-web --cpu 0 --gpu 0 leaves nothing to start; leave one out")
        preparation.check_folder()
        preparation.check_broker()
        listener = None if options["no_web"] else _listen(options["host"], options["port"])
        supervisor = Supervisor(_parts(options, listener), _printer(), str(settings.BASE_DIR))
        if preparation.make_tables():
            supervisor.tell("up", f"the tables of the {connection.vendor} database are made")
        connections.close_all()
        if listener is None:
            supervisor.tell("up", "workers start; Ctrl-C ends them, and their jobs go back to the queue")
        else:
            threading.Thread(target=_greet, args=(listener, supervisor.tell), daemon=True).start()
        supervisor.run()
        supervisor.tell("up", "all parts have ended")


def _parts(options: dict[str, Any], listener: socket.socket | None) -> list[Part]:
    parts = []
    if listener is not None:
        uvicorn = ["uvicorn", "s1web.asgi:application", "--fd", str(listener.fileno())]
        uvicorn += ["--lifespan", "off", "--no-access-log", "--timeout-graceful-shutdown", "2"]
        key = {"SECRET_KEY": preparation.secret_key()}
        parts.append(Part("web", uvicorn, key, (listener.fileno(),)))
    for queue in (CPU, GPU):
        if options[queue]:
            # a name of its own beside another `up` on this host, and the same one when it starts again
            name = f"{queue}-{os.getpid()}@%h"
            worker = ["celery", "--quiet", "-A", "s1web", "worker", "-Q", queue, "-n", name, "-l", "info"]
            # workers have nothing to tell each other: the database tells them
            worker += ["--without-mingle", "--without-gossip"]
            parts.append(Part(f"worker-{queue}", [*worker, "-c", str(options[queue])]))
    if options[CPU]:
        parts.append(Part("beat", ["celery", "--quiet", "-A", "s1web", "beat", "-l", "info"]))
    return parts


def _listen(host: str, port: int) -> socket.socket:
    """The web server's socket. It stays ours, so that requests wait while the server starts again.

    Raises:
        ConfigError: the address is taken, or is none of this host.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # the server's connections inherit it: a page does not wait for the client's delayed answer
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"port {port} of {host} cannot be taken ({error.strerror or error}); give another one with --port, "
            "or end what listens there"
        ) from None
    return listener


def _greet(listener: socket.socket, say: Say) -> None:
    """Once the pages answer, say where they are and who may sign in."""
    host, port = listener.getsockname()[:2]
    asked = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
    while not _answers(asked, port):
        time.sleep(_ASK_AGAIN_SECONDS)
    shown = f"[{asked}]" if ":" in asked else asked
    try:
        password = preparation.make_first_user()
    except DatabaseFailure as error:
        say("up", f"no first user could be made: {' '.join(str(error).split())[:200]}")
        password = None
    finally:
        connection.close()
    say("up", f"ready: {settings.PUBLIC_URL or f'http://{shown}:{port}'}/ (Ctrl-C ends it)")
    if password:
        say("up", f"first start: sign in as {preparation.FIRST_USER} with the password {password}")
        say("up", "it is shown this once; more users: python manage.py create_user NAME --role ROLE")
    else:
        say("up", "to add a user: python manage.py create_user NAME --role ROLE")


def _answers(host: str, port: int) -> bool:
    """Whether the pages are there; waits while the server starts, as the socket takes the request already."""
    known = next((name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"), "localhost")
    server = http.client.HTTPConnection(host, port, timeout=_ASK_SECONDS)
    try:
        server.request("GET", "/health/", headers={"Host": known})
        return server.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        server.close()


def _printer() -> Callable[[str, str], None]:
    """Prints `name | line`, names aligned; in colour on a terminal that has not said no to it."""
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    turn = threading.Lock()

    def say(name: str, line: str) -> None:
        label = name.ljust(_NAME_WIDTH)
        if is_coloured:
            label = f"\033[{_COLOURS[name]}m{label}\033[0m"
        with turn:
            try:
                sys.stdout.write(f"{label} | {line}\n")
                sys.stdout.flush()
            except BrokenPipeError:
                # what is still in the buffer would fail again when Python ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise

    return say
