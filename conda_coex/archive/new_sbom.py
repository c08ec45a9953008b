"""Make the software bill of materials of an archive, in CycloneDX: the same manifest gives the same bytes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from typing import TYPE_CHECKING

from .. import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coex_bootstrap.format.manifest import Manifest, Package, PipPackage
    from cyclonedx.model import HashType
    from cyclonedx.model.component import Component


def make_sbom(manifest: Manifest) -> bytes:
    """Return the CycloneDX 1.6 document (ECMA-424) of the packages in a manifest, whose digest is not looked at."""
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    fields = {name: value for name, value in manifest.fields.items() if name not in ("digest", "prelude")}
    sha256 = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    archive = Component(name=manifest.name, type=ComponentType.APPLICATION, bom_ref="archive")
    tool = Component(name="conda-coex", version=__version__, type=ComponentType.APPLICATION, bom_ref="conda-coex")
    timestamp = dt.datetime.fromtimestamp(manifest.date, dt.timezone.utc)
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, sha256),
        metadata=BomMetaData(component=archive, timestamp=timestamp),
    )
    bom.metadata.tools.components.add(tool)
    carried = manifest.python.get("packages") if manifest.python else None
    components = [*map(_component, carried or ()), *map(_component, manifest.packages), *map(_wheel, manifest.pip)]
    for component in {str(each.bom_ref.value): each for each in components}.values():
        bom.components.add(component)
    bom.register_dependency(archive, sorted(bom.components, key=lambda each: str(each.bom_ref.value)))
    return JsonV1Dot6(bom).output_as_string().encode() + b"\n"


def _component(package: Package) -> Component:
    """Return the component of a conda package, named by its package URL (purl-spec, type conda)."""
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import DisjunctiveLicense
    from packageurl import PackageURL

    fields = {"build": package["build"], "channel": package.get("channel"), "subdir": package.get("subdir")}
    qualifiers = {name: value for name, value in fields.items() if value}
    hashes = list(_hashes(package.get("md5"), package.get("sha256")))
    url, license_name = package.get("url"), package.get("license")
    purl = PackageURL("conda", name=package["name"], version=package["version"], qualifiers=qualifiers)
    references = []
    if url:
        kind = ExternalReferenceType.DISTRIBUTION
        references.append(ExternalReference(type=kind, url=XsUri(url), hashes=hashes))
    return Component(
        name=package["name"],
        version=package["version"],
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        hashes=hashes,
        licenses=[DisjunctiveLicense(name=license_name)] if license_name else (),
        external_references=references,
    )


def _wheel(package: PipPackage) -> Component:
    """Return the component of a package of pip."""
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    name, version = package["name"], package.get("version") or ""
    purl = PackageURL("pypi", name=name, version=version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        hashes=_hashes(None, package.get("sha256")),
    )


def _hashes(md5: str | None, sha256: str | None) -> Iterator[HashType]:
    from cyclonedx.model import HashAlgorithm, HashType

    for algorithm, value in ((HashAlgorithm.MD5, md5), (HashAlgorithm.SHA_256, sha256)):
        if value:
            yield HashType(alg=algorithm, content=value)
