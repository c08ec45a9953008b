"""Make hostile archives by a seed: parts are altered, and signed again, so that every digest fits."""

import json
import os
import random
import struct
from collections import OrderedDict, namedtuple

from coex_bootstrap.format import manifest as format_manifest
from coex_bootstrap.format.index import COLUMNS, HEAD, TEXT, Frame, Link
from coex_bootstrap.format.index_write import make_columns

from unit.coex_bootstrap.building import PLACEHOLDER, bootstrap_members, file_row, make_index, make_manifest, raw_frame, zip_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Tuple

    Columns = Dict[str, List[Any]]

HOLDER = PLACEHOLDER + b"_placehold" * 17  # as long as conda's
SCRIPT = b"#!/bin/sh\necho " + HOLDER + b"/share\n"
MD5, SHA256 = "d" * 32, "e" * 64
PACKAGE = {
    "name": u"demo", "version": u"1", "build": u"0", "build_number": 0, "channel": u"https://host/chan", "subdir": u"noarch",
    "url": u"https://u:p@host/t/tk/chan/noarch/demo-1-0.conda", "md5": MD5, "sha256": SHA256, "size": 10, "license": u"BSD",
    "compressed": 1, "unpacked": 1, "files": 3,
}
RECORD = OrderedDict([
    ("name", u"demo"), ("version", u"1"), ("build", u"0"), ("files", [u"bin/demo", u"share/plain", u"share/text"]),
    ("paths_data", {"paths": [{"_path": u"bin/demo", "sha256_in_prefix": "0" * 64, "size_in_bytes": 5}]}),
])
STATE = {"version": 1, "env_vars": {"OWN": u"value", "OTHER": u"***unset***"}}
VARIABLES = {"OF_PACKAGE": u"p", "NUMBER": 5}
KERNEL = {"argv": [u"demo", u"-f", u"{connection_file}"], "language": u"demo", "env": {u"A": u"b"}, "metadata": {u"x": 1}}
SBOM = {
    "bomFormat": u"CycloneDX", "specVersion": u"1.6", "metadata": {"component": {"name": u"demo", "type": u"application"}},
    "components": [{"name": u"demo", "version": u"1", "licenses": [{"license": {"name": u"BSD"}}], "hashes": []}],
}
MANIFEST = {
    "builder": u"conda-coex 1", "libzstd": u"zstd-1.5-0", "level": 9, "specs": [u"demo"], "keep_env": [u"KEPT"],
    "entry_points": [
        {"name": u"demo", "command": [["prefix", u"bin/demo"], ["text", u"a b"], ["expanded", u"${COEX_APP}/x"]], "imports": []},
        {"name": u"mine", "named": True, "command": [["app", u"run"]], "imports": [u"app/lib"]},
    ],
    "packages": [PACKAGE, dict(PACKAGE, name=u"other", url=u"https://host/chan/other-1-py3-none-any.whl")],
    "pip": [
        {"name": u"p", "version": u"2", "url": u"https://host/p.whl", "sha256": SHA256, "requested": True},
        {"name": u"q", "version": u"2", "url": u"https://host/q", "commit": u"0" * 40, "subdirectory": u"a", "vcs": u"git"},
        {"name": u"r", "version": u"2", "file": u"lib/r"},
    ],
    "env": [{"name": u"SET", "value": u"1", "default": False}, {"name": u"GUESS", "value": u"${COEX_APP}", "default": True}],
    "requires": {"__glibc": [u">=2.1"], "__unix": [u""], "__linux": [u">=2|1"]}, "portable": {u"demo.sh": 5},
}  # type: Dict[str, Any]

PYTHON = {
    "id": u"0" * 24, "version": u"3.12.0", "size": 1,
    "packages": [{"name": u"python", "version": u"3.12.0", "build": u"0", "size": 1, "license": u"x"}],
}
# Values for any place in a document; a name between @@ stands for text that no builder writes.
DEEP, LONG = u"@@deep@@", u"@@long@@"
RAW = {
    DEEP: "[" * 100000, LONG: "9" * 5000, u"@@open@@": '{"a":' * 5000, u"@@bytes@@": "\\ud800",
    u"@@closed@@": "[" * 900 + "]" * 900,
}


def nested(depth):
    # type: (int) -> List[Any]
    found = []  # type: List[Any]
    for _ in range(depth):
        found = [found]
    return found


VALUES = [
    None, True, False, 0, -1, 1, 5, 1 << 31, 1 << 63, 1 << 64, 10 ** 400, -(10 ** 900), 1.5, float("nan"), float("inf"), u"",
    u"x",     u"a\nb", u"a\rb\tc", u"\x1b[2J\x1b]0;t\x07", u"\x9b31m", u"\u202eevil\u2066", u"\u2028line", u"\ud800", u"\udcff",
    u"\xe9\u4e2d",     u"\U0001f600", u"\0", u"a\0b", u"'",
    u"\"$(id)`id`\\", u"-x", u"%s%n%(x)s", u"x" * 70000, u"../../outside/x", u"/etc/passwd",
    u"app", u"prefix/bin/demo", u".", u"..", u"a b", u"__cuda", [], {}, [u"x"], [5], [[]], [u"a\nb"], {"a": 1},
    {u"\x1b": u"\x1b"},     nested(30), nested(45), nested(60), nested(200), [u"x"] * 2000, [[u"text", u"\x1b[1m"]] * 20,
    DEEP, LONG, u"@@open@@",
    u"@@bytes@@", u"@@closed@@", u"9" * 5000, u">=" + u"9" * 5000, u"1." * 90, u"1 x86_64_*" + u"*a" * 80,
]  # type: List[Any]
ODD = [
    u"\x1b[2J", u"\u202e", u"\u2028x", u"\xe9", u"\nRUN x", u"\udcff", u"\ud800", u"\x9b31m", u"\x7f", u"'\"`$(x)", u"\t", u" ",
    u"\r", u"\U0001f600", u"\u4e2d", u"%s", u"/", u"@x", u"#x", u"\ufeff", u"\0", u"\\", u"y" * 5000,
]
CURATED = {
    "requires": [
        {"__cuda": [u">=%d" % n for n in range(1000)]}, {"__cuda": [u">=%d|<%d" % (n, n) for n in range(200)]},
        {"__glibc": [u">=" + u"9" * 190]}, {"__glibc": [u"9" * 5000]}, {"__glibc": None}, {"__archspec": [u"1 " + u"*a" * 90]},
        {"__glibc": [u"!=2.17.*,~=2,>1|*"] * 200}, {u"__\xe9": [u"\xe9"]}, {u"\x1b": []}, {u"__glibc": [u">=\u0663"]},
    ],
    "url": [[u"x"], {}, u"https://host/x.conda\nhttps://evil/x.conda", u"https://host/\u2028x.conda",
    u"https://host/\u202ex.conda"],
    "name": [u"\xe9t\xe9", u"a\nRUN evil", u"a\u2028RUN evil", u"\x1b[2Jx", u"\u202ex"],
    "date": [10 ** 12, -1, 253402300799], "level": [[9], u"9", 0, 99, None], "libzstd": [{"from": u"x"}, u"\x1b[2J", None],
    "builder": [[], u"\x1b[2J", None], "prefix_limit": [0, 1, 255, 1 << 62], "compile": [
        {}, {"python": u"bin/demo", "sources": [u"lib/x.py"]}, {"python": u"bin/demo", "sources": [5]},
        {"python": u"bin/\xe9", "sources": [u"lib/\xe9.py"]},
    ],
    "post_link": [
        [{"name": u"demo", "version": u"\xe9", "build_number": 1}], [{"name": u"\xe9", "version": u"1", "build_number": 0}],
    ],
    "imports": [[u"app/\xe9"], [u"app/a:b"], [u"app/\u202e"]], "subdirectory": [[u"a"], 5, u"a\nb"], "commit": [[], 5],
    "format": VALUES,
}  # type: Dict[str, List[Any]]

NUMBERS = {
    "Q": [0, 1, 10, 31, 64, 100, 1 << 32, (1 << 63) - 1, (1 << 64) - 1],
    "I": [0, 1, 2, 3, 4, 10, 31, 100, 0o777, 0o4755, 0o100644, (1 << 24) + 1, (1 << 31), (1 << 32) - 1],
    "q": [0, -1, 1 << 40, -(1 << 40), (1 << 62), -(1 << 63), (1 << 63) - 1],
}
TEXTS = [
    b"", b".", b"..", b"/", b"//", b"a/b", b"../x", b"/etc/passwd", b"prefix/../../x", b"prefix", b"app", b"prefix/bin", b"A",
    b"a", b"b", b"large", b"bin", b"a\nb", b"\xff", b"x" * 300, b"prefix/out/x", b"prefix/" + b"d/" * 40 + b"x", b"\x1b[2J",
    b"\xe2\x80\xae", b"\xc3\xa9", b"../../outside", b"0" * 64, b"state", b"conda-meta", b"demo-1-0.json", b"\xff.json",
]
RELOCATIONS = [
    b"t:0:0=15", b"t:0:0=0", b"b:0:0=15.280", b"b:0:0=10.99999999", b"b:0:0=15", b"e:x", b"h:0@0", b"h:0@99999999", b"h:9@0",
    b"t:9:", b"\xff:\xff", b"h:x@y", b"h:", b"h:0", b"h:-1@0", b"h:0@0,9@0", b"h:1.0.5@0", b"h:99.0.5;-@0", b"h:x.0.5;-@0",
    b"h:0.0.0;h:0@0@0", b"h:0.0.99999999999;-@0", b"h:0.99999.5;-@0", b"h:0.0.5;t:0:0=0@0", b"h:0.0.5;q@0", b"t:0:1=15",
    b"b:0:0=" + b"+".join([b"0.299"] * 3000), b"b:0:0=" + b".".join([b"15"] * 3000), b"t:0:0=" + b"+".join([b"15"] * 3000),
    b"t:0:0=" + b"9" * 5000, b"b:0:4=0.8", b"e:\xff\x1b", b"t", b"b:", b"e:", b"t:0", b"t:0:0", b"t:0:9=1",
    b"t:" + b"9" * 19 + b":",
    b"h:" + b",".join([b"1.0.40;-@0"] * 3000), b"h:0@0" + b",0@0" * 500, b"b:0:0=5.4", b"-", b"q",
]
NO_DOCUMENTS = [
    b"\xff", b"\0", b"\xef\xbb\xbf", b"[" * 100000, b"9" * 5000, b"\x1b[2J", b"null", b"[]", b"{}", b"\xc2\x9b",
]
Part = namedtuple("Part", "path content relocation mode")


def render(value):
    # type: (Any) -> bytes
    """Return a document as bytes, with text that is not JSON in place of the values that stand for it."""
    found = json.dumps(value, indent=1)
    for name, raw in RAW.items():
        found = found.replace('"%s"' % name, raw)
    return found.encode("ascii")


def places(document):
    # type: (Any) -> List[Tuple[Any, Any]]
    """Return (container, key) of everything in a document."""
    found, waiting = [], [document]
    while waiting:
        each = waiting.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each)) if isinstance(each, list) else []
        for key in keys:
            found.append((each, key))
            waiting.append(each[key])
    return found


def copied(document):
    # type: (Any) -> Any
    return json.loads(json.dumps(document), object_pairs_hook=OrderedDict)


def altered_document(generator, document):
    # type: (random.Random, Any) -> Any
    """Return a document with one or two values altered, taken away or doubled."""
    document = copied(document)
    for _ in range(generator.choice([1, 1, 2])):
        holder, key = generator.choice(places(document))
        what = generator.random()
        if what < 0.1 and isinstance(holder, dict):
            del holder[key]
        elif what < 0.2 and isinstance(holder, list):
            holder.append(holder[key])
        elif what < 0.3 and isinstance(holder, dict):
            new = generator.choice([value for value in VALUES if isinstance(value, type(u""))])
            holder[new] = holder.pop(key)
        elif what < 0.5 and isinstance(holder, dict) and key in CURATED:
            holder[key] = copied(generator.choice(CURATED[key]))
        else:
            holder[key] = copied(generator.choice(alike(holder[key]) if what < 0.85 else VALUES))
    return document


def alike(value):
    # type: (Any) -> List[Any]
    """Return the values of the kind of this one: a value that looks right gets further."""
    if isinstance(value, type(u"")):
        return [value + odd for odd in ODD] + [each for each in VALUES if isinstance(each, type(u""))]
    kinds = [each for each in VALUES if isinstance(each, type(value))]
    return kinds or VALUES


def decorated(generator, document):
    # type: (random.Random, Any) -> Any
    """Return a document with something odd at the end of many of its texts."""
    document, odd = copied(document), generator.choice(ODD)  # type: Any, str
    share = generator.choice([0.03, 0.1, 0.5])
    for holder, key in places(document):
        if isinstance(holder[key], type(u"")) and key not in ("platform", "digest") and generator.random() < share:
            holder[key] += odd
    return document


def altered_bytes(generator, data):
    # type: (random.Random, bytes) -> bytes
    """Return other bytes in the place of a document."""
    at = generator.randrange(len(data) + 1)
    new = generator.choice(NO_DOCUMENTS)
    return generator.choice([b"", new, data[:at], data[:at] + new + data[at:], new + data, data + new])


def altered_columns(generator, columns):
    # type: (random.Random, Columns) -> None
    """Alter a few items of an index: another value, one of another row, one more, one less."""
    for _ in range(generator.randrange(1, 4)):
        name, kind = generator.choice(COLUMNS)
        values = columns[name]
        pool = (RELOCATIONS if name == "relocated_relocation" else TEXTS) if kind == TEXT else NUMBERS[kind]  # type: List[Any]
        new, what = generator.choice(pool), generator.random()
        if values and what < 0.7:
            values[generator.randrange(len(values))] = new if what < 0.5 else generator.choice(values)
        elif what < 0.85:
            for other in of_rows(name):
                columns[other] += columns[other][-1:]
            values[-1:] = [new]
        elif values:
            row = generator.randrange(len(values))
            for other in of_rows(name) if what > 0.88 else [name]:
                del columns[other][row : row + 1]


def of_rows(name):
    # type: (str) -> List[str]
    """Return the columns that rows with this one have."""
    return [other for other, _ in COLUMNS if other.split("_")[0] == name.split("_")[0]]


def dump(columns):
    # type: (Columns) -> bytes
    """Return the bytes of an index with these columns and any content."""
    pieces = [HEAD + b"1\n"]
    for name, kind in COLUMNS:
        if kind == TEXT:
            data = b"".join(value + b"\0" for value in columns[name])
        else:
            data = struct.pack("<%d%s" % (len(columns[name]), kind), *columns[name])
        pieces += [("%s %d\n" % (name, len(data))).encode("ascii"), data]
    return b"".join(pieces)


class Hostile(object):
    """An archive in parts, each of which can be altered: `write` signs all parts."""

    def __init__(self, seed):
        # type: (int) -> None
        self.random, self.done = random.Random(seed), []  # type: random.Random, List[str]
        self.manifest, self.sbom = make_manifest(**copied(MANIFEST)).fields, render(SBOM)
        self.documents = OrderedDict([
            ("conda-meta/demo-1-0.json", RECORD), ("conda-meta/state", STATE), ("etc/conda/env_vars.d/demo.json", VARIABLES),
            ("share/jupyter/kernels/demo/kernel.json", KERNEL),
        ])  # type: Dict[str, Any]
        self.contents = dict((name, render(document)) for name, document in self.documents.items())
        self.links = [Link(b"prefix/out", b"/etc"), Link(b"prefix/up", b"../../outside"), Link(b"app/link", b"run")]
        self.relocation = b""
        self.change_index = []  # type: List[Callable[[Columns], None]]
        self.replaced = []  # type: List[Tuple[bytes, bytes]]
        self.members = {}  # type: Dict[str, bytes]
        self.carries_python = False

    def alter(self):
        # type: () -> None
        """Alter one or a few things, which `done` names."""
        kinds = [
            self._manifest, self._manifest, self._manifest, self._curated, self._curated, self._index, self._index,
            self._relocation, self._columns, self._document, self._document, self._sbom, self._tail, self._links, self._python,
        ]
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            kind = self.random.choice(kinds)
            self.done.append(kind.__name__[1:])
            kind()

    def _manifest(self):
        # type: () -> None
        kept = dict((name, self.manifest[name]) for name in ("digest", "prelude", "payload"))
        change = self.random.choice([altered_document, altered_document, decorated])
        self.manifest = change(self.random, self.manifest)
        if self.random.random() < 0.9:
            self.manifest.update(kept)

    def _curated(self):
        # type: () -> None
        """Give a field of the manifest a value that was made for it."""
        name = self.random.choice(sorted(CURATED))
        holders = [holder for holder, key in places(self.manifest) if key == name] + [self.manifest]
        self.random.choice(holders)[name] = copied(self.random.choice(CURATED[name]))

    def _index(self):
        # type: () -> None
        generator = random.Random(self.random.random())
        self.change_index.append(lambda columns: altered_columns(generator, columns))

    def _columns(self):
        # type: () -> None
        """Alter how long a column says that it is."""
        name = self.random.choice(COLUMNS)[0].encode("ascii")
        new = self.random.choice([b"9" * 5000, b"9" * 19, b"-1", b"", b"\xd9\xa1", b"0", b"4294967295"])
        self.replaced.append((b"\n" + name + b" ", b"\n" + name + b" " + new))

    def _relocation(self):
        # type: () -> None
        self.relocation = self.random.choice(RELOCATIONS)

    def _document(self):
        # type: () -> None
        name = self.random.choice(sorted(self.documents))
        if self.random.random() < 0.8:
            change = self.random.choice([altered_document, decorated])
            self.contents[name] = render(change(self.random, self.documents[name]))
        else:
            self.contents[name] = altered_bytes(self.random, self.contents[name])

    def _sbom(self):
        # type: () -> None
        self.sbom = render(self.random.choice([altered_document, decorated])(self.random, SBOM))
        if self.random.random() < 0.3:
            self.sbom = altered_bytes(self.random, self.sbom)

    def _python(self):
        # type: () -> None
        self.carries_python = self.random.random() < 0.9
        self.manifest["python"] = self.random.choice([PYTHON, PYTHON, altered_document(self.random, PYTHON)])

    def _tail(self):
        # type: () -> None
        name = self.random.choice(["../x", "\x1b[2J", "a" * 60000, "coex_bootstrap/../x", "libzstd", "libzstd", "x\ny", "/etc/x"])
        self.members[name] = self.random.choice([b"", b"x", b"\x7fELF" + b"\xff" * 2000, b"\0" * (1 << 20)])

    def _links(self):
        # type: () -> None
        names = [odd.encode("utf-8", "replace") for odd in ODD if u"\0" not in odd] + TEXTS
        target = self.random.choice(names) or b"x"
        self.links.append(Link(self.random.choice([b"app/x", b"prefix/", b"app/"]) + self.random.choice(names)[:99], target))

    def write(self, path):
        # type: (bytes) -> None
        """Write the archive."""
        index, payload = self._make_index()
        carried = dict(bootstrap_members(), **self.members)
        carried.update({format_manifest.INDEX: index, format_manifest.SBOM: self.sbom})
        fields, text = self.manifest, carried[format_manifest.PACKAGE + "/" + format_manifest.PRELUDE]
        platform = fields.get("platform")
        platform = platform if isinstance(platform, type(u"")) else u""
        fields.setdefault("prelude", 0)
        if fields["prelude"] == 0:
            fields["prelude"] = len(format_manifest.fill_prelude(text, b"0" * format_manifest.ID_LENGTH, platform))
        if fields.get("payload") == 0:
            fields["payload"] = len(payload)
        if self.carries_python:
            carried[format_manifest.PYTHON] = b"no Python"
            if fields.get("python") == PYTHON:
                fields["python"] = dict(PYTHON, id=format_manifest.python_id(carried[format_manifest.PYTHON]))
        fields["digest"] = format_manifest.digest(format_manifest.Manifest(fields), carried)
        carried[format_manifest.MANIFEST] = render(fields)
        tail = zip_bytes(carried)
        root = fields["digest"][: format_manifest.ID_LENGTH].encode("ascii")
        prelude = format_manifest.fill_prelude(text, root, platform, self._mark(carried))
        with open(path, "wb") as stream:
            stream.write(prelude + payload + format_manifest.seal(prelude, tail) + tail)
        os.chmod(path, 0o755)

    def _mark(self, carried):
        # type: (Dict[str, bytes]) -> bytes
        """Return the place of the carried Python; none if the sizes before it are not numbers."""
        try:
            return format_manifest.python_mark(format_manifest.Manifest(self.manifest), carried)
        except TypeError:
            return format_manifest.NO_PYTHON

    def _make_index(self):
        # type: () -> Tuple[bytes, bytes]
        """Return the bytes of index and payload."""
        at = self.contents["conda-meta/demo-1-0.json"].find(b"0" * 64)
        parts = [
            Part(b"prefix/bin/demo", SCRIPT, b"t:0:0=15", 0o755), Part(b"prefix/share/plain", b"plain\n", b"-", 0o644),
            Part(b"prefix/share/text", SCRIPT + b"\0" * 50, b"b:0:0=15.290", 0o644),
            Part(b"prefix/bin/tool", b"import x\n", b"e:bin/demo", 0o755),
            Part(b"app/run", b"#!/bin/sh\necho run\n", b"-", 0o755),
        ]
        for name, content in sorted(self.contents.items()):
            hashed = name.endswith("1-0.json") and at > 0
            words = ("h:0@%d" % at).encode("ascii") if hashed else b"-"
            parts.append(Part(b"prefix/" + name.encode("ascii"), content, words, 0o644))
        if self.relocation:
            parts.append(Part(b"prefix/share/moved", SCRIPT + b"0" * 64 + b"\0", self.relocation, 0o644))
        whole, rows = b"".join(part.content for part in parts), []
        place = 0
        for part in parts:
            rows.append(file_row(part.path, 0, place, len(part.content), part.relocation, part.mode))
            place += len(part.content)
        contents = [whole, b"a" * 32, b"b" * 32]
        rows.append(file_row(b"app/large", 1, 0, 64))
        made = make_index(rows, links=self.links, directories=[b"app/lib"], placeholders=[HOLDER])
        frames, offset = [raw_frame(content) for content in contents], 0
        for content, frame in zip(contents, frames):
            sha256 = format_manifest.sha256(frame).hexdigest().encode("ascii")
            made.frames.append(Frame(offset, len(frame), len(content), sha256))
            offset += len(frame)
        if self.manifest.get("unpacked") == {"files": 0, "bytes": 0}:
            self.manifest["unpacked"] = {"files": len(rows), "bytes": sum(row.size for row in rows) + (1 << 16)}
        made.package_frames = [0]
        parts = make_columns(made)
        columns = dict((name, list(values)) for part in (parts.texts, parts.numbers) for name, values in part.items())
        for change in self.change_index:
            change(columns)
        data = dump(columns)
        for old, new in self.replaced:
            data = data.replace(old, new, 1)
        return data, b"".join(frames)


def make(path, seed):
    # type: (bytes, int) -> List[str]
    """Write the archive of a seed; return the changes, none for 0."""
    archive = Hostile(seed)
    if seed:
        archive.alter()
    archive.write(path)
    return archive.done
