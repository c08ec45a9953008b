"""Make the software bill of materials of an archive, in CycloneDX: the same manifest gives the same bytes.

The document has the fields, the order and the form that cyclonedx-python-lib writes; to load that library takes longer
than anything else in a repack.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

from packageurl import PackageURL

from .. import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from coex_bootstrap.format.manifest import Manifest, Package, PipPackage

    Component: TypeAlias = dict[str, object]

SCHEMA = {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6"}
OWN = "archive"  # the reference of the archive itself
SIGNS = "!$&()*+,;=:@/?#%~"  # that a URI has beside letters and digits (RFC 3986); cyclonedx-python-lib leaves no '
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[0-9A-Za-z:.]+\])(?=[:/?#]|\Z)")  # of a host, in IPv6


def make_sbom(manifest: Manifest) -> bytes:
    """Return the CycloneDX 1.6 document (ECMA-424) of the packages in a manifest, whose digest is not looked at."""
    fields = {name: value for name, value in manifest.fields.items() if name not in ("digest", "prelude")}
    sha256 = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    carried = manifest.python.get("packages") if manifest.python else None
    components = [*map(_component, carried or ()), *map(_component, manifest.packages), *map(_wheel, manifest.pip)]
    by_reference = {str(each["bom-ref"]): each for each in components}
    document = {
        "components": sorted(by_reference.values(), key=_order),
        "dependencies": _dependencies(sorted(by_reference)),
        "metadata": {
            "component": {"bom-ref": OWN, "name": manifest.name, "type": "application"},
            "timestamp": dt.datetime.fromtimestamp(manifest.date, dt.timezone.utc).isoformat(),
            "tools": {"components": [_tool()]},
        },
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, sha256).urn,
        "version": 1,
        **SCHEMA,
    }
    if not components:
        del document["components"]
    return json.dumps(document).encode() + b"\n"


def _tool() -> Component:
    return {"bom-ref": "conda-coex", "name": "conda-coex", "type": "application", "version": __version__}


def _order(component: Component) -> tuple[str, ...]:
    return tuple(str(component[key]) for key in ("name", "version", "bom-ref"))


def _dependencies(references: Sequence[str]) -> list[dict[str, object]]:
    """Return the dependencies of the archive, which are all packages, and those of packages, which are not listed."""
    rows: dict[str, dict[str, object]] = {reference: {"ref": reference} for reference in references}
    rows[OWN] = {"dependsOn": list(references), "ref": OWN} if references else {"ref": OWN}
    return [rows[reference] for reference in sorted(rows)]


def _component(package: Package) -> Component:
    """Return the component of a conda package, named by its package URL (purl-spec, type conda)."""
    fields = {"build": package["build"], "channel": package.get("channel"), "subdir": package.get("subdir")}
    qualifiers = {name: value for name, value in fields.items() if value}
    purl = PackageURL("conda", name=package["name"], version=package["version"], qualifiers=qualifiers).to_string()
    hashes = _hashes(package.get("md5"), package.get("sha256"))
    more: Component = {}
    url, license_name = package.get("url"), package.get("license")
    if url:
        more["externalReferences"] = [{**hashes, "type": "distribution", "url": _reference(url)}]
    more |= hashes
    if license_name:
        more["licenses"] = [{"license": {"name": license_name}}]
    return _library(package["name"], package["version"], purl, more)


def _wheel(package: PipPackage) -> Component:
    """Return the component of a package of pip."""
    name, version = package["name"], package.get("version") or ""
    purl = PackageURL("pypi", name=name, version=version).to_string()
    return _library(name, version, purl, _hashes(None, package.get("sha256")))


def _library(name: str, version: str, purl: str, more: Component) -> Component:
    return {"bom-ref": purl, **more, "name": name, "purl": purl, "type": "library", "version": version}


def _hashes(md5: str | None, sha256: str | None) -> Component:
    """Return the field for the hashes that are known, without one if there are none."""
    found = [{"alg": kind, "content": value} for kind, value in (("MD5", md5), ("SHA-256", sha256)) if value]
    return {"hashes": found} if found else {}


def _reference(url: str) -> str:
    """Return a URL as a valid URI: packages of a directory may have any name."""
    url = re.sub("%(?![0-9A-Fa-f]{2})", "%25", url)
    host = ADDRESS.match(url)
    at, end = host.span(1) if host else (0, 0)
    start, sign, fragment = (_escaped(url[:at]) + url[at:end] + _escaped(url[end:])).partition("#")
    return start + sign + fragment.replace("#", "%23")


def _escaped(text: str) -> str:
    return quote(text, SIGNS, errors="surrogatepass")
