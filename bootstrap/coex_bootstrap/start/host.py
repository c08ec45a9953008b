"""Say whether this host fits an archive: its platform, and the virtual packages that its packages need."""

import os
import sys

from ..base.errors import HostUnfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

    from ..format.manifest import Manifest

# conda's subdirs by (sys.platform, machine); an osx-64 file also runs on arm64 by Rosetta.
MACHINES = {
    "x86_64": "64", "amd64": "64", "i386": "32", "i686": "32", "aarch64": "aarch64", "arm64": "arm64",
    "ppc64le": "ppc64le", "s390x": "s390x", "armv7l": "armv7l", "armv6l": "armv6l", "riscv64": "riscv64",
}
ROSETTA = ("osx-arm64", "osx-64")  # an archive; and the machine that a Python for Intel reports on any Mac
ARCHSPEC = "__archspec"
DIGITS = 100
OPERATORS = (">=", "<=", "==", "!=", "~=", ">", "<", "=")


def check_host(manifest):
    # type: (Manifest) -> None
    """Raise HostUnfit, naming the virtual package, if this host cannot run the archive's packages.

    `CONDA_OVERRIDE_<NAME>` overrides the detected version, as it does for conda; empty means absent.
    """
    here = host_platform()
    if is_foreign(manifest):
        remedy = "start it with a Python for arm64: name one in COEX_PYTHON" if (manifest.platform, here) == ROSETTA else None
        raise HostUnfit("this archive is for %s, this host is %s" % (manifest.platform, here), remedy=remedy)
    for name in sorted(manifest.requires):
        for constraint in manifest.requires[name]:
            version = unfit(name, constraint)
            if version is not None:
                override = constraint.replace("=", " ").split(" ")[-1] if name == ARCHSPEC else "VERSION"
                raise HostUnfit(
                    "this archive needs %s%s, this host has %s"
                    % (name, " " + constraint if constraint else "", version),
                    remedy="CONDA_OVERRIDE_%s=%s starts it all the same" % (name[2:].upper(), override),
                )


def is_foreign(manifest):
    # type: (Manifest) -> bool
    """Return whether the packages of an archive are for another platform than this host's."""
    return host_platform() not in (manifest.platform,) + (("osx-arm64",) if manifest.platform == "osx-64" else ())


def unfit(name, constraint):
    # type: (str, str) -> Optional[str]
    """Return this host's version of a virtual package if it does not meet the constraint; None if it does."""
    if name == ARCHSPEC:
        from .microarchitecture import unmet_by

        override = os.environ.get("CONDA_OVERRIDE_ARCHSPEC")
        return "none" if override == "" else unmet_by(constraint, override)
    if name not in KNOWN:
        return None
    version = virtual_package(name)
    return version or "none" if version is None or not matches(version, constraint) else None


def host_platform():
    # type: () -> str
    """Return the conda subdir of this host."""
    system = {"darwin": "osx", "win32": "win"}.get(sys.platform, "linux" if sys.platform.startswith("linux") else sys.platform)
    machine = os.uname()[4].lower()
    if machine == "x86_64" and sys.maxsize < 1 << 32:
        machine = "i686"
    return "%s-%s" % (system, MACHINES.get(machine, machine))


def virtual_package(name):
    # type: (str) -> Optional[str]
    """Return the version of a virtual package on this host, or None if it is absent or unknown."""
    override = os.environ.get("CONDA_OVERRIDE_" + name[2:].upper())
    if override is not None:
        return override or None
    return KNOWN[name]() if name in KNOWN else None


def _glibc():
    # type: () -> Optional[str]
    try:  # the library that this very process runs on: Python 2.7 has no name for it in os.confstr
        import ctypes

        version = ctypes.CDLL(None).gnu_get_libc_version
        version.restype = ctypes.c_char_p
        return str(version().decode("ascii"))
    except (ImportError, AttributeError, OSError):
        return _glibc_by_name()


def _glibc_by_name():
    # type: () -> Optional[str]
    try:
        return str(os.confstr("CS_GNU_LIBC_VERSION")).split(" ")[1]
    except (AttributeError, IndexError, ValueError, OSError):
        return None


def _linux():
    # type: () -> Optional[str]
    return (".".join(_leading(os.uname()[2])) or None) if sys.platform.startswith("linux") else None


def _freebsd():
    # type: () -> Optional[str]
    return (".".join(_leading(os.uname()[2])) or None) if sys.platform.startswith("freebsd") else None


def _osx():
    # type: () -> Optional[str]
    import platform

    version = platform.mac_ver()[0]
    if version.startswith("10.16"):  # macOS 11 and newer report this to a Python that was built for older ones
        import subprocess

        environ = dict(os.environ, SYSTEM_VERSION_COMPAT="0")
        with open(os.devnull, "rb") as nothing:
            output = subprocess.check_output(["/usr/bin/sw_vers", "-productVersion"], env=environ, stdin=nothing)
        version = str(output.decode("ascii").strip())
    return version or None


def _unix():
    # type: () -> Optional[str]
    return "0" if os.name == "posix" else None


def _cuda():
    # type: () -> Optional[str]
    for name in CUDA_LIBRARIES:
        try:
            import ctypes

            version = ctypes.c_int(0)
            if ctypes.CDLL(name).cuDriverGetVersion(ctypes.byref(version)) == 0:
                return "%d.%d" % (version.value // 1000, version.value % 1000 // 10)
        except (ImportError, OSError, AttributeError):
            continue
    return None


def _absent():
    # type: () -> Optional[str]
    return None


CUDA_LIBRARIES = (  # as conda looks for it
    "libcuda.so.1", "libcuda.so", "/usr/lib64/nvidia/libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
    "/usr/lib/wsl/lib/libcuda.so.1", "libcuda.dylib", "/usr/local/cuda/lib/libcuda.dylib",
)
# Not here: `__conda`, the conda that installs, and virtual packages that only other installers have.
KNOWN = {
    "__glibc": _glibc, "__linux": _linux, "__osx": _osx, "__unix": _unix, "__cuda": _cuda, "__win": _absent,
    "__freebsd": _freebsd,
}


def matches(version, constraint):
    # type: (str, str) -> bool
    """Return whether `version` meets conda's version constraint: `|` of `,` of `>=1.2`, `1.2.*`, `==1`, `!=1`, `~=1.2`."""
    spec = constraint.split(" ")[0] if constraint else "*"
    return any(all(_meets(version, part) for part in group.split(",")) for group in spec.split("|"))


def _meets(version, part):
    # type: (str, str) -> bool
    part = part.strip()
    operator = ([each for each in OPERATORS if part.startswith(each)] + [""])[0]
    bound = part[len(operator) :]
    if bound in ("", "*"):
        return True
    if bound.endswith("*"):
        starts = _numbers(version)[: len(_numbers(bound))] == _numbers(bound)
        return not starts if operator == "!=" else _numbers(version) >= _numbers(bound) if operator == ">=" else starts
    ours, theirs = _numbers(version), _numbers(bound)
    length = max(len(ours), len(theirs))
    left, right = ours + [0] * (length - len(ours)), theirs + [0] * (length - len(theirs))
    if operator == "=":
        return ours[: len(theirs)] == theirs
    if operator == "~=":
        return left >= right and ours[: len(theirs) - 1] == theirs[:-1]
    order = {">=": left >= right, "<=": left <= right, ">": left > right, "<": left < right, "!=": left != right}
    return order.get(operator or "==", left == right)


def _numbers(version):
    # type: (str) -> List[int]
    """Return the leading numeric parts of a version: virtual packages have no others that matter."""
    return [_number(part) for part in _leading(version)]


def _leading(version):
    # type: (str) -> List[str]
    """Return the numbers with which a version begins, as they are written."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if digits:
            numbers.append(digits)
        if digits != part or not digits:
            break
    return numbers


def _number(digits):
    # type: (str) -> int
    """Return a number; one of more digits than any version has is larger than all, and takes no time to read."""
    return int(digits) if len(digits) <= DIGITS else 10 ** DIGITS
