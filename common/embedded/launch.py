"""Becomes another program that dies with its parent, also when the parent is killed with SIGKILL.

    python -I -S launch.py --signal N --parent PID [--lock FILE] [--pid-file FILE]
                           [--uid N --gid N [--reach 1]] -- argv…

Standard library only and few imports: it starts in about 20 ms, before every process of the supervisor.
"""

import ctypes
import fcntl
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 4
_CAPABILITY_VERSION_3 = 0x20080522
# CAP_DAC_READ_SEARCH is enough to walk closed folders; containers often have only CAP_DAC_OVERRIDE.
_REACH_CAPABILITIES = (2, 1)
_LIBC = ctypes.CDLL(None, use_errno=True)


def fail(message: str) -> None:
    """Say why and leave with the status that shells use for "found, but could not run"."""
    sys.stderr.write(f"{message}\n")
    sys.exit(126)


def prctl(*arguments: int) -> None:
    """Raises OSError when the kernel refuses."""
    if _LIBC.prctl(*(ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:5])) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def own_capabilities() -> int:
    """Bit set of the capabilities this process has now."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))


def set_capabilities(mask: int) -> None:
    """Keep exactly `mask` (only numbers below 32), and let it be inherited."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if _LIBC.capset(header, sets) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def become(uid: int, gid: int, *, reach: bool) -> None:
    """Drop to `uid`; with `reach`, keep the one capability that lets it walk through folders closed to others."""
    kept = next((number for number in _REACH_CAPABILITIES if own_capabilities() >> number & 1), None)
    if reach and kept is None:
        fail("no capability to reach a folder that is closed to other users")
    if reach:
        # Without this bit access(2) ignores the kept capability, and PostgreSQL asks access(2) for its binaries.
        prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if reach and kept is not None:
        set_capabilities(1 << kept)
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, kept)


def take_lock(path: str) -> None:
    """Hold `path` for as long as the program or a child of it lives: never two servers on one folder."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(handle, True)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write("waiting for the previous process on this folder to end\n")
        fcntl.flock(handle, fcntl.LOCK_EX)


def remove_stale_pid_file(path: str) -> None:
    """Remove a pid file whose process is not working in that folder: after a reboot its number may be anybody's."""
    try:
        with open(path, encoding="ascii") as lines:
            pid = int(lines.readline())
    except (OSError, ValueError):
        return
    try:
        owner_folder = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        owner_folder = ""
    if owner_folder != os.path.realpath(os.path.dirname(path)):
        os.unlink(path)


def main(arguments: list[str]) -> None:
    """Prepare this process as told, then replace it by the program."""
    end = arguments.index("--")
    options = dict(zip(arguments[:end:2], arguments[1:end:2], strict=True))
    program = arguments[end + 1 :]
    if "--lock" in options:
        take_lock(options["--lock"])
    if "--pid-file" in options:
        remove_stale_pid_file(options["--pid-file"])
    try:
        if "--uid" in options:
            become(int(options["--uid"]), int(options["--gid"]), reach="--reach" in options)
        # Last: a change of user or capabilities clears it.
        prctl(_PR_SET_PDEATHSIG, int(options["--signal"]))
    except OSError as error:
        fail(f"cannot prepare {program[0]}: {error.strerror}")
    if os.getppid() != int(options["--parent"]):
        fail("the parent process is gone")
    try:
        os.execvp(program[0], program)
    except OSError as error:
        fail(f"cannot run {program[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
