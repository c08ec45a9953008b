"""A Python of another platform as pip sees it: the markers of requirements, and the tags of wheels that fit."""

from __future__ import annotations

from dataclasses import dataclass

MACHINES = {"64": "x86_64", "32": "i686"}  # the others of conda's subdirs are the names that Python has
SYSTEMS = {"linux": "Linux", "osx": "Darwin"}
OLDEST = {"x86_64": 5, "i686": 5}  # minor version of the first glibc 2 that a manylinux tag names (PEP 513, 599)
ALIASES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}  # PEP 513, 571, 599


@dataclass(frozen=True)
class Target:
    """CPython `version` (major.minor.patch) on hosts of a platform (conda's subdir) with a system of some version.

    `system` is the version of glibc, or of macOS.
    """

    platform: str
    version: str
    system: str
    free_threaded: bool = False

    @property
    def machine(self) -> str:
        """The name of the processor, as `os.uname` gives it."""
        name = self.platform.partition("-")[2]
        return MACHINES.get(name, name)

    def markers(self) -> dict[str, str]:
        """Return the values of environment markers (PEP 508); those of a kernel are empty, since hosts differ."""
        system = self.platform.partition("-")[0]
        return {
            "implementation_name": "cpython",
            "implementation_version": self.version,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": SYSTEMS[system],
            "platform_version": "",
            "python_full_version": self.version,
            "python_version": ".".join(self.version.split(".")[:2]),
            "sys_platform": "darwin" if system == "osx" else system,
        }

    def platform_tags(self) -> list[str]:
        """Return the tags of platforms that fit, in the order of `packaging.tags` (PEP 600).

        For macOS it is one tag, to which pip adds those of older versions.
        """
        major, minor = (*map(int, self.system.split(".")[:2]), 0)[:2]
        if self.platform.startswith("osx"):
            return [f"macosx_{major}_{minor}_{self.machine}"]
        tags = [f"linux_{self.machine}"]
        for each in range(minor, OLDEST.get(self.machine, 17) - 1, -1):
            tags.append(f"manylinux_2_{each}_{self.machine}")
            tags += [f"{ALIASES[each]}_{self.machine}"] if each in ALIASES else []
        return tags

    def options(self) -> list[str]:
        """Return the options by which pip chooses wheels for the target."""
        words = ["--only-binary=:all:", "--implementation=cp", f"--python-version={self.version}"]
        if self.free_threaded:
            words.append("--abi=cp{}{}t".format(*self.version.split(".")))
        return words + [f"--platform={tag}" for tag in self.platform_tags()]
