"""Add an archive to Jupyter, as a kernel that starts the archive itself."""

import os
import re
from collections import OrderedDict
from contextlib import closing

from ..base.compat import path_bytes, text, visible
from ..base.errors import CoexError, Misuse
from ..base.working_directory import absolute
from ..format.archive import Archive
from ..start.entry_choice import SUFFIX, VARIABLE, named_entries
from .carried_kernels import CarriedKernels, Kernel, commands
from .jupyter_data import data_directory, kernel_directory, kernel_name, name_from, openness, refuse_other, write_kernel
from .output import Outcome, quoted
from .verb import Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Dict, List, Text, Union

    from ..format.manifest import Manifest

ABOUT = """\
The environment needs a kernel: ipykernel, r-irkernel, xeus-cling, or any other that has a share/jupyter/kernels/*/kernel.json.
The new kernel.json has the path of this file, and not that of a root, which `cache clean` may remove. Jupyter starts, interrupts
and ends the kernel as any other. If the file is moved, write the kernel again, or name a link to it here that stays.

A kernel of the same name is replaced if it starts this file. `jupyter kernelspec list` shows all kernels,
`jupyter kernelspec remove NAME` removes one.

examples:
  CALL
  CALL --name report --display-name 'Report (2026)'
  CALL --prefix /opt/jupyterhub
  CALL --language R \\
    --command 'R --slave -e IRkernel::main() --args {connection_file}'
"""
CONNECTION = u"{connection_file}"


def configure(parser):
    # type: (ArgumentParser) -> None
    """Add the options of `kernelspec` to a parser."""
    parser.add_argument(
        "--name", dest="kernel_name", metavar="NAME",  # `name` is conda's, for an environment
        help="the name of the kernel in Jupyter; default: that of the file",
    )
    parser.add_argument("--display-name", metavar="TEXT", help="the name that users see; default: that of the file")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user's Jupyter, the default")
    where.add_argument("--prefix", metavar="DIR", help="for the Jupyter of an environment: below DIR/share/jupyter")
    where.add_argument("--sys-prefix", action="store_true", help="for the Jupyter of the active environment")
    parser.add_argument("--kernel", metavar="NAME", help="the kernel of the environment, if it has several")
    parser.add_argument(
        "--command", metavar="COMMAND",
        help="a command of the environment, or an entry point, in the place of a kernel that the environment describes",
    )
    parser.add_argument("--language", metavar="NAME", help="the language of --command; default: python")
    parser.add_argument("--force", action="store_true", help="replace any kernel of the same name")


def execute(path, options, environ):
    # type: (bytes, Namespace, Dict[bytes, bytes]) -> Outcome
    """Write the kernel for the archive at `path`; raises CoexError."""
    if options.command and options.kernel:
        raise Misuse("--kernel is a kernel of the environment, and --command another one: leave out one of the two")
    if options.language and not options.command:
        raise Misuse("--language goes with --command")
    program = absolute(path)
    file_name = os.path.basename(_written(program, "the path of the file"))
    file_name = file_name[: -len(SUFFIX)] if program.endswith(SUFFIX) else file_name
    name = kernel_name(options.kernel_name) if options.kernel_name else name_from(file_name)
    shown = _written(options.display_name, "--display-name") if options.display_name else file_name
    with closing(Archive(path)) as archive:
        if options.command:
            kernel = _asked(archive, options)
        else:
            kernel = _carried(archive, options)
            kernel = kernel._replace(command=as_command(archive.manifest, kernel.command))
    spec = kernel_spec(program, kernel, shown)
    directory = kernel_directory(data_directory(options, environ) + b"/kernels", name)
    if re.search(br"\{[A-Za-z0-9_]+\}", program):
        raise CoexError("Jupyter would put a value in the place of the braces in its path", program, "rename it")
    if not os.access(program, os.X_OK):
        raise CoexError("Jupyter could not start it: it is not executable", program, "chmod +x it")
    if not options.force:
        refuse_other(directory, program)
    write_kernel(directory, spec, kernel.files)
    lines = ["%s: the kernel %s; jupyter kernelspec remove %s removes it" % (visible(directory), visible(shown), text(name))]
    why = openness(directory, bool(options.prefix or options.sys_prefix))
    notes = ["other users can change this kernel, and so the program that Jupyter starts: " + why] if why else []
    fields = {"archive": text(program), "kernel": text(name), "directory": text(directory), "spec": spec, "notes": notes}
    return Outcome(fields, lines + ["  note: " + note for note in notes], 0)


def _written(word, title):
    # type: (Union[str, bytes], str) -> Text
    """Return a word as Jupyter will read it; raises CoexError if it is not UTF-8."""
    try:
        return path_bytes(word).decode("utf-8")
    except UnicodeDecodeError:
        raise CoexError("%s is not UTF-8, in which Jupyter reads a kernel.json" % title, remedy="use another name")


def kernel_spec(program, kernel, shown):
    # type: (bytes, Kernel, Text) -> OrderedDict[str, object]
    """Return the content of `kernel.json` for a kernel that starts the archive `program`."""
    spec = OrderedDict(kernel.fields)  # type: OrderedDict[str, object]
    spec["argv"] = [text(program)] + kernel.arguments
    spec["display_name"] = shown
    spec["env"] = OrderedDict(kernel.fields.get("env") or {})  # type: ignore[call-overload]
    spec["env"][VARIABLE] = kernel.command.replace(u"$", u"$$")  # type: ignore[index] # Jupyter reads string.Template
    return spec


def as_command(manifest, name):
    # type: (Manifest, Text) -> Text
    """Return the value of the variable by which a start takes the command of the environment, and no entry point."""
    word = quoted(name)
    return "'%s'" % name if word in _names(manifest) else word


def _names(manifest):
    # type: (Manifest) -> List[Text]
    return [entry["name"] for entry in named_entries(manifest)]


def _carried(archive, options):
    # type: (Archive, Namespace) -> Kernel
    """Return the kernel of the environment; raises CoexError if there is not exactly one that is meant."""
    kernels = CarriedKernels(archive)
    names = kernels.names()
    if options.kernel:
        asked = text(path_bytes(options.kernel))
        if asked not in names:
            raise CoexError("its environment has no Jupyter kernel %s (%s)" % (asked, ", ".join(names) or "none"), archive.path)
        return kernels.read(asked)
    if not names:
        remedy = "add ipykernel, r-irkernel or the kernel of another language to it, or say how to start it with --command"
        raise CoexError("its environment has no Jupyter kernel", archive.path, remedy)
    if len(names) > 1:
        raise CoexError("its environment has several Jupyter kernels", archive.path, "choose --kernel " + " or ".join(names))
    return kernels.read(names[0])


def _asked(archive, options):
    # type: (Archive, Namespace) -> Kernel
    """Return the kernel that the options describe; raises CoexError if the archive does not have its command."""
    import shlex  # a Python without a whole library may lack it

    try:
        words = [_written(word, "--command") for word in shlex.split(options.command)]
    except ValueError as error:
        raise Misuse("--command: %s" % error)
    if not any(CONNECTION in word for word in words[1:]):
        raise Misuse("--command: %s is missing, in the place of which Jupyter puts a file for the kernel" % CONNECTION)
    if words[0] in _names(archive.manifest):
        command = words[0]
    elif words[0] in commands(archive):
        command = quoted(words[0])
    else:
        what = "%s is neither an entry point nor a command of the environment" % words[0]
        raise CoexError(what, archive.path)
    return Kernel(command, words[1:], {"language": _written(options.language or "python", "--language")}, {})


VERB = Verb("kernelspec", "Add the archive to Jupyter, as a kernel that starts it.", ABOUT, configure, execute)
