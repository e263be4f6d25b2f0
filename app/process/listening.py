"""The socket that the server listens on: IPv4, IPv6, both at once, or a Unix socket."""

import os
import resource
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.config.machine import DESCRIPTOR_RESERVE
from app.config.sections import ConnectionLimits, NetworkSettings
from app.config.settings import SettingsError

BACKLOG = 2048

EVERYBODY = 0o666
"""Whoever may enter its folder may connect to a Unix socket, as to a port."""

_IN_IPV6 = "::ffff:"
"""Prefix of an IPv4 address where one socket serves both families. Source: RFC 4291, section 2.5.5.2."""


def listen(network: NetworkSettings, limits: ConnectionLimits) -> socket.socket:
    """Socket to serve on, bound before anything slow begins.

    Raises:
        SettingsError: the address is in use or not ours, or the limit of open files does not allow for the connections.
    """
    raise_descriptor_limit(limits.max_connections)
    path, host, port = network.unix_socket, network.host.strip("[]"), network.port
    try:
        return _tcp(host, port) if path is None else _unix(path)
    except OSError as error:
        where = f"{host} port {port}" if path is None else path
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        raise SettingsError(f"Cannot listen on {where}: {reason}.") from None


def _tcp(host: str, port: int) -> socket.socket:
    """Socket of the family that the host has; `::` is every address of both families, where the system can.

    Raises:
        OSError: nothing can listen there.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:  # an empty or too long part of a name
        raise OSError("Not a name of a host") from None
    # A name may have addresses of both families; IPv4 is what its clients try.
    family, *_, address = min(found, key=lambda row: row[0] != socket.AF_INET)
    both = address[0] == "::" and socket.has_dualstack_ipv6()
    # `address` keeps the number of an interface that `host` names (fe80::1%eth0).
    return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)


def _unix(path: Path) -> socket.socket:
    """Socket at `path`; one that a server left there that is gone is replaced.

    Raises:
        OSError: another server listens there, or it cannot be made.
        SettingsError: something else is there.
    """
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        raise SettingsError(f"Cannot listen on {path}: it exists and is no socket.")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, suppress(FileNotFoundError):
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
        listening.bind(str(path))
        path.chmod(EVERYBODY)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


@contextmanager
def removed_at_end(sock: socket.socket) -> Iterator[None]:
    """Removes the file of a Unix socket at the end, unless another server has put its own there."""
    path = Path(sock.getsockname()) if sock.family == socket.AF_UNIX else None
    inode = path and path.stat().st_ino
    try:
        yield
    finally:
        if path is not None and path.exists() and path.stat().st_ino == inode:
            path.unlink()


def url_of(sock: socket.socket) -> str:
    """Returns the address for people to read and copy.

    >>> with socket.create_server(("127.0.0.1", 0)) as sock:
    ...     url_of(sock).rpartition(":")[0]
    'http://127.0.0.1'
    """
    if sock.family == socket.AF_UNIX:
        return f"unix:{sock.getsockname()}"
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def plain_address(address: tuple[str, int]) -> tuple[str, int]:
    """Returns a client's address as its family has it, where one socket serves both.

    >>> plain_address(("::ffff:192.0.2.1", 5000)), plain_address(("2001:db8::1", 5000))
    (('192.0.2.1', 5000), ('2001:db8::1', 5000))
    """
    host, port = address
    return (host.removeprefix(_IN_IPV6), port) if host.startswith(_IN_IPV6) and "." in host else address


def raise_descriptor_limit(max_connections: int) -> None:
    """Lets this process and its children open as many files as the connections need.

    Raises:
        SettingsError: it may not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max_connections + DESCRIPTOR_RESERVE
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise SettingsError(
            f"--max-connections (SLUICE_MAX_CONNECTIONS) is {max_connections}, which needs {needed} open files, but "
            f"this process may have {hard}: raise its limit (ulimit -n) or lower --max-connections."
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
