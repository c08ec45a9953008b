"""The bill of materials is the one that cyclonedx-python-lib writes, byte for byte, with URLs that are URIs."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from typing import Any
from urllib.parse import unquote

from coex_bootstrap.format.manifest import Manifest
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from hypothesis import example, given
from hypothesis import strategies as st
from packageurl import PackageURL
from rfc3986_validator import validate_rfc3986

from conda_coex import __version__
from conda_coex.archive.new_sbom import make_sbom

NAMES = st.sampled_from(["numpy", "_x", "a-b", "ab", "zlib", "Foo_Bar", "archive"])
WORDS = st.sampled_from(["1.0", "1!2", "0", "h1_0", "é", "x y", "a%20", "[x]", 'q"', "~", "😀", "+", "MIT OR X", "{b}"])
SUMS = st.integers(0, 2**128 - 1).map("{:032x}".format)
LONG_SUMS = st.integers(0, 2**256 - 1).map("{:064x}".format)
PACKAGE = st.fixed_dictionaries(
    {"name": NAMES, "version": WORDS, "build": WORDS, "build_number": st.just(0)},
    optional={
        "channel": WORDS, "subdir": WORDS, "license": st.one_of(WORDS, st.just("")), "md5": SUMS, "sha256": LONG_SUMS,
        "url": WORDS.filter(str.isascii).map("https://host/{}".format),  # the library leaves other letters as they are
    },
)  # fmt: skip
WHEEL = st.fixed_dictionaries({"name": NAMES}, optional={"version": WORDS, "sha256": LONG_SUMS})
MANIFEST = st.fixed_dictionaries(
    {
        "name": WORDS, "date": st.integers(0, 2**32), "packages": st.lists(PACKAGE, max_size=5),
        "pip": st.lists(WHEEL, max_size=3),
    },
    optional={"python": st.fixed_dictionaries({"packages": st.lists(PACKAGE, max_size=2)})},
)  # fmt: skip


@given(MANIFEST)
def test_same_as_the_library(fields: dict[str, Any]) -> None:
    assert make_sbom(Manifest(fields)) == by_library(Manifest(fields))


@given(st.sampled_from(["file://", "http://host:80", "http://user@[::1]:80", "https://[v1.x]", "x://]["]), st.text())
@example("file://", "/100%.conda")
@example("file://", "/#a#b|c^d`e\\f.conda")
@example("http://[::1]", "/[::1]/\ufffd\ue000\ud800")
def test_url_is_a_uri(start: str, rest: str) -> None:
    package = {"name": "x", "version": "1", "build": "0", "url": f"{start}/{rest}"}
    document = make_sbom(Manifest({"name": "n", "date": 0, "packages": [package], "pip": []}))
    (reference,) = json.loads(document)["components"][0]["externalReferences"]
    XsUri(reference["url"])  # which refuses some
    assert validate_rfc3986(reference["url"], rule="URI"), reference["url"]
    path = unquote(reference["url"].split("/", 3)[3], errors="surrogatepass")
    assert path == unquote(package["url"].split("/", 3)[3], errors="surrogatepass")


def by_library(manifest: Manifest) -> bytes:
    """Return the same document, made by the library."""
    fields = {name: value for name, value in manifest.fields.items() if name not in ("digest", "prelude")}
    sha256 = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    archive = Component(name=manifest.name, type=ComponentType.APPLICATION, bom_ref="archive")
    tool = Component(name="conda-coex", version=__version__, type=ComponentType.APPLICATION, bom_ref="conda-coex")
    timestamp = dt.datetime.fromtimestamp(manifest.date, dt.timezone.utc)
    metadata = BomMetaData(component=archive, timestamp=timestamp)
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, sha256), metadata=metadata)
    bom.metadata.tools.components.add(tool)
    carried: Any = manifest.python["packages"] if manifest.python else ()
    components = [*map(component, carried), *map(component, manifest.packages), *map(wheel, manifest.pip)]
    for each in {str(each.bom_ref.value): each for each in components}.values():
        bom.components.add(each)
    bom.register_dependency(archive, sorted(bom.components, key=lambda each: str(each.bom_ref.value)))
    return JsonV1Dot6(bom).output_as_string().encode() + b"\n"


def component(package: Any) -> Component:
    names = ("build", "channel", "subdir")
    qualifiers = {name: package[name] for name in names if package.get(name)}
    purl = PackageURL("conda", name=package["name"], version=package["version"], qualifiers=qualifiers)
    kinds = ((HashAlgorithm.MD5, "md5"), (HashAlgorithm.SHA_256, "sha256"))
    hashes = [HashType(alg=kind, content=package[name]) for kind, name in kinds if package.get(name)]
    references = []
    if package.get("url"):
        kind = ExternalReferenceType.DISTRIBUTION
        references.append(ExternalReference(type=kind, url=XsUri(package["url"]), hashes=hashes))
    licenses = [DisjunctiveLicense(name=package["license"])] if package.get("license") else ()
    return Component(
        name=package["name"], version=package["version"], type=ComponentType.LIBRARY, purl=purl,
        bom_ref=purl.to_string(), hashes=hashes, licenses=licenses, external_references=references,
    )  # fmt: skip


def wheel(package: Any) -> Component:
    purl = PackageURL("pypi", name=package["name"], version=package.get("version") or "")
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=package["sha256"])] if package.get("sha256") else ()
    return Component(
        name=package["name"], version=package.get("version") or "", type=ComponentType.LIBRARY, purl=purl,
        bom_ref=purl.to_string(), hashes=hashes,
    )  # fmt: skip
