"""Import the modules of the bootstrap out of the tail of an archive, which `__main__` has read."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Callable, Dict, Optional, Tuple, Type


class Modules(object):
    """Imports the modules of the bootstrap out of the tail, which is read once (PEP 302 for Python 2.7, else PEP 451).

    The zipimport of Python 3 is written in Python: it takes longer than the rest of a small archive's start. `members` are
    the sources and their checksums, `codes` the modules that the builder has compiled for this Python. `compiled` compiles
    the others, and raises an error for those that were altered.
    """

    def __init__(self, path, members, codes, compiled):
        # type: (str, Dict[str, Tuple[bytes, int]], Dict[str, CodeType], Callable[[str, str, bytes, int], CodeType]) -> None
        self.path, self.codes, self.compiled = path, codes, compiled
        self.sources = dict((name_of(member), (member, source, crc)) for member, (source, crc) in members.items())

    def find_spec(self, name, path=None, target=None):
        # type: (str, object, object) -> Optional[ModuleSpec]
        """Return the spec of a module of the bootstrap, None for others (PEP 451)."""
        if name not in self.sources:
            return None
        member = self.sources[name][0]
        kind = type(sys.__spec__)  # type: Type[ModuleSpec] # which is loaded already
        spec = kind(name, self, is_package=is_package(member))  # type: ignore[arg-type]
        spec.origin, spec.has_location = self.file_of(name), True
        if is_package(member):
            spec.submodule_search_locations = [self.directory_of(name)]
        return spec

    def create_module(self, spec):
        # type: (ModuleSpec) -> None
        """Leave the making of a module to Python (PEP 451)."""

    def exec_module(self, module):
        # type: (ModuleType) -> None
        """Run the code of a module in it (PEP 451)."""
        exec(self.get_code(module.__name__), module.__dict__)

    def find_module(self, name, path=None):
        # type: (str, object) -> Optional[Modules]
        """Return this loader for a module of the bootstrap, None for others (PEP 302)."""
        return self if name in self.sources else None

    def load_module(self, name):
        # type: (str) -> ModuleType
        """Return a module that was just imported (PEP 302)."""
        module = sys.modules[name] = type(sys)(name)
        module.__file__, module.__loader__, module.__package__ = self.file_of(name), self, None
        if is_package(self.sources[name][0]):
            module.__path__ = [self.directory_of(name)]
        try:
            self.exec_module(module)
        except Exception:
            del sys.modules[name]
            raise
        return module

    def file_of(self, name):
        # type: (str) -> str
        """Return the path of a module that tracebacks show: PATH of the archive, and the member."""
        return self.path + "/" + self.sources[name][0]

    def directory_of(self, name):
        # type: (str) -> str
        """Return the directory of a package's modules, in the form of `file_of`."""
        return self.file_of(name)[: -len("/__init__.py")]

    def get_code(self, name):
        # type: (str) -> CodeType
        """Return the compiled code of a module."""
        return self.codes.get(name) or self.compiled(self.path, *self.sources[name])

    def get_source(self, name):
        # type: (str) -> str
        """Return the text of a module, of which tracebacks show lines."""
        source = self.sources[name][1]
        return source if isinstance(source, str) else source.decode("utf-8")


def name_of(member):
    # type: (str) -> str
    """Return the name of the module that is in a member."""
    name = member[:-3].replace("/", ".")
    return name[: -len(".__init__")] if is_package(member) else name


def is_package(member):
    # type: (str) -> bool
    """Return whether a member of the tail is the code of a package."""
    return member.endswith("/__init__.py")
