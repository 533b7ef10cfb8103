"""One writer for each folder: a build, an evaluation or a training holds the folder that it writes to.

The file HOLDER in the folder says who writes. The writer locks it by flock, which the system frees however the process
ends. If a disk has no flock, the process id and its start time tell whether the holder is alive. On another machine
neither may say anything (NFS, Lustre, FUSE), so it looks whether the holder's file changes: its writer renews it every
BEAT seconds, and a file that stays the same for LIMIT seconds belongs to nobody any more. No clocks are compared.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import json
import logging
import os
import platform
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from videossr_verl.errors import BadInput, MachineError, machine_failure

logger = logging.getLogger(__name__)

HOLDER = ".writer"
BEAT = 5.0  # seconds between two renewals
LIMIT = 60.0  # a writer elsewhere is gone after so many seconds without one; file attributes are cached for less
LOOK = 0.5  # seconds between two looks at somebody else's file
SETTLE = 1.0  # after so many seconds, two that took a folder over at once, on two machines, see who has it
# Errors of a path where no folder can be made, or none that this user may write to.
NO_FOLDER = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENOENT}
NO_FOLDER |= {errno.ELOOP, errno.EINVAL}


@dataclass(frozen=True)
class Writer:
    """A process that writes to a folder.

    Attributes:
        what: what it does, e.g. "build".
        machine: the running kernel, the same in all its containers.
        processes: the process id's name space, in which `pid` means something.
        started: start of the process, in ticks since the machine's start.
        since: when it took the folder, for people.
        token: random, to tell apart two times that the same process takes the folder.
    """

    what: str
    user: str
    host: str
    machine: str
    processes: str
    pid: int
    started: int
    since: str
    token: str

    def __str__(self) -> str:
        return f"a {self.what} of {self.user} on {self.host}, process {self.pid}, since {self.since}"


@contextmanager
def one_writer(folder: Path, what: str, patience: float = 0.0) -> Iterator[None]:
    """Makes the folder and holds it for this process while the body runs. Waits if others hold it.

    Args:
        what: what this process does, for those who come second.
        patience: seconds to wait for a holder on this machine, which may be about to end.

    Raises:
        BadInput: somebody else writes there, or nobody can.
        MachineError: the disk fails.
    """
    me = _me(what)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _take(folder / HOLDER, me, patience)
    except OSError as error:
        if error.errno in NO_FOLDER:
            raise BadInput(f"cannot write to the folder '{folder}': {error.strerror}; give another") from error
        message = machine_failure(error, folder)
        if message is None:
            raise
        raise MachineError(message) from error
    done = threading.Event()
    threading.Thread(target=_beat, args=(handle, folder / HOLDER, me, done), daemon=True, name="one writer").start()
    try:
        yield
    finally:
        done.set()
        with suppress(OSError):  # the folder may be gone, and with it the file that was ours to delete
            _remove(folder / HOLDER, me)
        _handles.discard(handle)
        os.close(handle)


def _me(what: str) -> Writer:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    started = _start(os.getpid())
    assert started is not None
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    machine, processes = _machine(), os.readlink("/proc/self/ns/pid")
    return Writer(what, user, platform.node(), machine, processes, os.getpid(), started, now, uuid4().hex)


def _machine() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()


def _start(pid: int) -> int | None:
    """Returns the ticks from the machine's start to the process's start, or None if the process is gone, or dead and
    not yet reaped.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


_handles: set[int] = set()  # a forked child must not keep its parent's folder


def _forget() -> None:
    for handle in _handles:
        os.close(handle)
    _handles.clear()


os.register_at_fork(after_in_child=_forget)


def _take(file: Path, me: Writer, patience: float) -> int:
    """Makes the holder's file ours, and returns its open descriptor, which holds the lock."""
    began, settle = time.monotonic(), 0.0
    while True:
        handle, made = _open(file)
        try:
            if made:
                if _write(handle, me, file, settle):
                    _handles.add(handle)
                    return handle
            elif _is_at(handle, file):
                locked, holder = _lock(handle), _content(file)
                if _is_gone(holder, me, locked, file):
                    _remove(file, holder)
                    settle = SETTLE
                else:
                    _wait(f"{holder or 'another process'} writes to '{file.parent}'", began, patience)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _wait(message: str, began: float, patience: float) -> None:
    """Waits until the next look at the holder. Raises BadInput when patience is at its end."""
    waited = time.monotonic() - began
    if waited >= patience:
        raise BadInput(f"{message}: wait for its end, or give another folder")
    if waited < LOOK:
        logger.warning("%s: waiting up to %.0f s for its end", message, patience)
    time.sleep(LOOK)


def _write(handle: int, me: Writer, file: Path, settle: float) -> bool:
    """Fills the file that we made, and returns whether it is still there after `settle` seconds, and ours."""
    while _lock(handle) is False:  # somebody looks at it, and takes it for one that nobody holds
        time.sleep(0.01)
    try:
        with open(handle, "wb", closefd=False) as content:  # writes all of it or raises; os.write may write a part
            content.write(json.dumps(asdict(me)).encode() + b"\n")
        os.fsync(handle)
    except OSError:
        file.unlink(missing_ok=True)
        raise
    time.sleep(settle)
    return _content(file) == me


def _remove(file: Path, holder: Writer | None) -> None:
    """Deletes the file if it is still that holder's."""
    if _content(file) == holder:
        file.unlink(missing_ok=True)


def _open(file: Path) -> tuple[int, bool]:
    """Opens the holder's file, and returns its descriptor and whether this call made the file."""
    while True:
        with suppress(FileExistsError):
            return os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
        with suppress(FileNotFoundError):
            try:
                return os.open(file, os.O_RDWR), False
            except PermissionError:  # another user's
                return os.open(file, os.O_RDONLY), False


def _lock(handle: int) -> bool | None:
    """Returns whether we have the lock, or None if this disk has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(handle: int, file: Path) -> bool:
    """Returns whether the open file still has its name, which its holder may have deleted meanwhile."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), file.stat())
    return False


def _content(file: Path) -> Writer | None:
    """Returns the writer that the file names, or None if the file is gone or says nothing yet."""
    try:
        return Writer(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _is_gone(holder: Writer | None, me: Writer, locked: bool | None, file: Path) -> bool:
    """Returns whether the holder is dead. Where only its beats can tell, this looks for up to LIMIT seconds."""
    if holder is not None and (holder.machine, holder.processes) == (me.machine, me.processes):
        return _start(holder.pid) != holder.started
    if locked is False:
        return False
    if locked and holder is None:
        return True  # it died before it could say who it is
    logger.warning("looking for up to %.0f s whether %s still writes to '%s'", LIMIT, holder, file.parent)
    return not _changes(file)


def _changes(file: Path) -> bool:
    """Returns whether the file changes, or disappears, within LIMIT seconds."""
    until, before = time.monotonic() + LIMIT, _state(file)
    while time.monotonic() < until:
        time.sleep(LOOK)
        if _state(file) != before:
            return True
    return False


def _state(file: Path) -> tuple[int, int] | None:
    """Returns a value that changes when the file does. Opens it first, since NFS then asks the server."""
    with suppress(FileNotFoundError), open(file, "rb") as opened:
        found = os.fstat(opened.fileno())
        return found.st_ino, found.st_mtime_ns
    return None


def _beat(handle: int, file: Path, me: Writer, done: threading.Event) -> None:
    """Renews the file. Ends this process if it stood still for so long that somebody else took the folder over."""
    while not done.wait(BEAT):
        with suppress(OSError):
            now = _content(file)
            if now is not None and now != me:
                logger.error("%s took '%s' over while this process stood still", now, file.parent)
                signal.raise_signal(signal.SIGTERM)
                return
            os.utime(handle)
