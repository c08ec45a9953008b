"""Find out whether the processor of this host has the features of a microarchitecture of `__archspec`."""

import os
import re
import sys
from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional, Set

# Names of archspec, each with the names that it contains and the flags that it adds, by their names in proc(5). Linux
# does not show all features of the generic armv8 and armv9. These are not here, and refuse no host.
TABLE = """\
x86_64_v2 cx16 lahf_lm mmx popcnt sse sse2 sse3 sse4_1 sse4_2 ssse3
x86_64_v3 x86_64_v2 abm avx avx2 bmi1 bmi2 f16c fma movbe xsave
x86_64_v4 x86_64_v3 avx512bw avx512cd avx512dq avx512f avx512vl
nocona mmx sse sse2 sse3
core2 nocona ssse3
nehalem core2 x86_64_v2
westmere nehalem aes pclmulqdq
sandybridge westmere avx
ivybridge sandybridge f16c rdrand
haswell ivybridge x86_64_v3
broadwell haswell adx rdseed
skylake broadwell clflushopt xsavec xsaveopt
mic_knl broadwell avx512cd avx512er avx512f avx512pf
skylake_avx512 skylake x86_64_v4 clwb
cannonlake skylake x86_64_v4 avx512ifma avx512vbmi sha_ni
cascadelake skylake_avx512 avx512_vnni
icelake cascadelake cannonlake avx512_bitalg avx512_vbmi2 avx512_vpopcntdq gfni rdpid vaes vpclmulqdq
sapphirerapids icelake amx_bf16 amx_int8 amx_tile avx512_bf16 cldemote movdir64b movdiri serialize waitpkg
alderlake skylake avx_vnni clwb gfni movdir64b movdiri rdpid serialize sha_ni vaes vpclmulqdq waitpkg
arrowlake alderlake avx_ifma avx_ne_convert avx_vnni_int8 cmpccxadd
arrowlake_s arrowlake avx_vnni_int16 sha512 sm3 sm4
k10 3dnow 3dnowext abm cx16 mmx sse sse2 sse4a
bulldozer x86_64_v2 abm aes avx fma4 pclmulqdq sse4a xop xsave
piledriver bulldozer bmi1 f16c fma tbm
steamroller piledriver fsgsbase
excavator steamroller x86_64_v3
zen x86_64_v3 aes clflushopt clzero fsgsbase pclmulqdq rdseed sse4a xsavec xsaveopt
zen2 zen clwb
zen3 zen2 pku vaes vpclmulqdq
zen4 zen3 x86_64_v4 avx512_bf16 avx512_bitalg avx512_vbmi2 avx512_vnni avx512_vpopcntdq avx512ifma avx512vbmi
    flush_l1d gfni
zen5 zen4 avx512_vp2intersect avx_vnni movdir64b movdiri tsc_adjust
zen6 zen5 avx512_fp16
thunderx2 aes asimd asimdrdm atomics cpuid crc32 evtstrm fp pmull sha1 sha2
a64fx asimd asimdhp asimdrdm atomics cpuid crc32 dcpop evtstrm fcma fp fphp sha1 sha2 sve
cortex_a72 aes asimd cpuid crc32 evtstrm fp pmull sha1 sha2
neoverse_n1 cortex_a72 asimddp asimdhp asimdrdm atomics dcpop fphp lrcpc
neoverse_v1 neoverse_n1 asimdfhm bf16 dcpodp dgh dit fcma flagm i8mm ilrcpc jscvt rng sha3 sha512 sve svebf16 svei8mm
    uscat
neoverse_v2 neoverse_n1 asimdfhm bf16 dcpodp fcma flagm flagm2 frint i8mm ilrcpc jscvt sb sha3 sha512 sve sve2 svebf16
    svei8mm uscat
neoverse_n2 neoverse_n1 asimdfhm bf16 dcpodp fcma flagm flagm2 frint i8mm ilrcpc jscvt sb sha3 sha512 sve sve2 svebf16
    svei8mm uscat
ampere1 neoverse_n1 asimdfhm bf16 bti dcpodp dit ecv fcma flagm flagm2 frint i8mm ilrcpc jscvt paca pacg rng sb sha3
    sha512 ssbs uscat
ampere1a ampere1 sm3 sm4
neoverse_v3ae neoverse_v2 afp bti dgh dit ecv paca pacg sm3 sm4 sveaes svebitperm svepmull svesha3 svesm4 wfxt
olympus aes afp asimd asimddp asimdfhm asimdhp asimdrdm atomics bf16 bti cpuid crc32 dcpodp dcpop dgh dit ecv evtstrm
    f8cvt f8dp2 f8dp4 f8e4m3 f8e5m2 f8fma faminmax fcma flagm flagm2 fp fphp fpmr frint i8mm ilrcpc jscvt lrcpc ls64
    lut paca pacg pmull rng sb sha1 sha2 sha3 sha512 sm3 sm4 ssbs sve sve2 sveaes svebf16 svebitperm svei8mm svepmull
    svesha3 svesm4 uscat wfxt
m1 aes asimd asimddp asimdfhm asimdhp asimdrdm atomics cpuid crc32 dcpodp dcpop dit evtstrm fcma flagm flagm2 fp fphp
    frint ilrcpc jscvt lrcpc paca pacg pmull sb sha1 sha2 sha3 sha512 ssbs uscat
m2 m1 bf16 bti ecv i8mm
m3 m2
m4 m3 sme sme2
"""
FAMILIES = {"x86_64": ("x86_64",), "amd64": ("x86_64",), "aarch64": ("aarch64", "arm64"), "arm64": ("aarch64", "arm64")}
POWERS = range(8, 12)  # generations that run little-endian code
CPUINFO = "/proc/cpuinfo"
SYSCTL = ["/usr/sbin/sysctl", "-n"]
MACOS_FLAGS = ("machdep.cpu.features", "machdep.cpu.extfeatures", "machdep.cpu.leaf7_features")
MACOS_BRAND = "machdep.cpu.brand_string"
# Flags by their names on macOS, and those that others imply.
SYNONYMS = {
    "sse4.1": "sse4_1", "sse4.2": "sse4_2", "avx1.0": "avx", "lahf": "lahf_lm", "sha": "sha_ni", "lzcnt": "abm",
    "clfsopt": "clflushopt", "rdwrfsgs": "fsgsbase", "pni": "sse3", "ssse3": "sse3",
}


def unmet_by(constraint, override=None):
    # type: (str, Optional[str]) -> Optional[str]
    """Return the name of this host if it does not meet a constraint such as `1 x86_64_v3`; None if it meets it, or may do so.

    `override` is the name that the user gives to this host. A name that is not known here is met only by the same name.
    """
    build = build_of(constraint)
    known = read_table()
    names = [name for name in sorted(known) if build is not None and fnmatchcase(name, build)]
    if override is not None:
        if build is None or fnmatchcase(override, build):
            return None
        flags = known[override] | own_names() if override in known else None  # type: Optional[Set[str]]
        return None if flags and any(known[name] <= flags for name in names) else override
    flags = read_flags(known) if names else None
    if flags is None or any(known[name] <= flags for name in names):
        return None
    return best_name(known, flags)


def build_of(constraint):
    # type: (str) -> Optional[str]
    """Return the build that a constraint asks for, which is the name of a microarchitecture; None for any."""
    match = re.match(r"\s*[=<>]*[\d.*]*(?:\s+|=)([^\s=]+)\s*\Z", constraint)
    return match.group(1) if match and match.group(1) != "*" else None


def read_table():
    # type: () -> Dict[str, Set[str]]
    """Return the flags of each microarchitecture by name; those of a family are its own names."""
    table = {"x86_64": set(["x86_64"]), "aarch64": set(["aarch64"]), "arm64": set(["arm64"]), "ppc64le": set(["ppc64le"])}
    for number in POWERS:
        table["power%dle" % number] = set("power%d" % older for older in POWERS if older <= number)
    for line in TABLE.replace("\n    ", " ").splitlines():
        words = line.split()
        table[words[0]] = set(flag for word in words[1:] for flag in table.get(word, (word,)))
    return table


def own_names():
    # type: () -> Set[str]
    """Return the names of the family of this machine."""
    machine = os.uname()[4].lower()
    return set(FAMILIES.get(machine, (machine,)))


def read_flags(known):
    # type: (Dict[str, Set[str]]) -> Optional[Set[str]]
    """Return the flags of this host's processor; None if it does not tell."""
    flags = _of_macos(known) if sys.platform == "darwin" else _of_linux()
    if not flags:
        return None
    return flags | own_names() | set(SYNONYMS[flag] for flag in flags if flag in SYNONYMS)


def _of_linux():
    # type: () -> Set[str]
    try:
        with open(CPUINFO, "rb") as stream:
            text = stream.read(1 << 16).decode("ascii", "replace")
    except EnvironmentError:
        return set()
    power = re.search(r"^cpu\s*:\s*POWER(\d+)", text, re.MULTILINE)
    if power:
        return set("power%d" % number for number in POWERS if number <= int(power.group(1)))
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return set(str(word) for word in match.group(1).split()) if match else set()


def _of_macos(known):
    # type: (Dict[str, Set[str]]) -> Set[str]
    apple = re.match(r"Apple M(\d+)", _sysctl(MACOS_BRAND))
    if apple:
        return max((known["m%d" % number] for number in range(1, 5) if number <= int(apple.group(1))), key=len)
    return set(" ".join(map(_sysctl, MACOS_FLAGS)).lower().split())


def _sysctl(name):
    # type: (str) -> str
    import subprocess

    try:
        with open(os.devnull, "r+b") as nothing:
            return subprocess.check_output(SYSCTL + [name], stdin=nothing, stderr=nothing).decode("ascii", "replace")
    except (EnvironmentError, subprocess.CalledProcessError):
        return ""


def best_name(known, flags):
    # type: (Dict[str, Set[str]], Set[str]) -> str
    """Return the best name for a processor: on x86_64 a level of the psABI."""
    fitting = [name for name in known if known[name] <= flags]
    levels = [name for name in fitting if name.startswith("x86_64")]
    return max(levels or fitting or sorted(own_names()), key=lambda name: len(known.get(name, ())))
