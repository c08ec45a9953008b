#!/bin/sh
{ : coex - this archive is not complete, get a fresh copy of the file ]
# This is a coex archive: a conda environment and an application in one file. Run it, or: python3 FILE
# These lines start its unpacked root, or find a Python that unpacks it. The rest of the file is data.
# If the zip at the end of this file is missing, Python prints the second line in its error. A shell reads to the last
# brace before it runs anything. If this file is cut in these lines, the shell runs nothing and prints an error.
# Options of the caller, as in `sh -e FILE`, must not change the lines below.
set +o allexport +o errexit +o noclobber +o noglob +o nounset
case $0 in
  /*) _coex_file=$0 ;;
  */*) _coex_file=$PWD/${0#./} ;;
  *) if [ -f "./$0" ]; then _coex_file=$PWD/$0; else _coex_file=$(command -v -- "$0"); fi ;;
esac
_coex_first= _coex_above= _coex_kept= _coex_begun=
case ${COEX_ROOT:+set}${COEX_ROOT-} in
  set/*) _coex_first=$COEX_ROOT ;;
  set*) _coex_first=$PWD/$COEX_ROOT ;;
  *) case ${XDG_CACHE_HOME-} in
       /*) _coex_above=$XDG_CACHE_HOME _coex_first=$XDG_CACHE_HOME/coex ;;
       *) case ${HOME-} in /?*) _coex_above=$HOME _coex_first=$HOME/@CACHES@/coex ;; esac ;;
     esac ;;
esac
_coex_first=${_coex_first%"${_coex_first##*[!/]}"}
# Sets _coex_safe unless another user could replace the file $2 in the directory $1 of the store. Builtins show whether a
# directory is this user's, and whether this user may write to it. If that is not enough, Python decides, by owners and
# modes. Python makes roots only in directories that nobody else may write to. The tests look at names, which are opened
# after them. A user who can write to a directory on the way (after a chmod by this user, or as a member of its group)
# can act in between. From the directory $_coex_base on everything has to belong to this user; it is empty for a store that
# the caller has named, and "site" for one that the file of the site names and that may be of root.
_coex_trust() {
  _coex_safe= _coex_dir=$1 _coex_top=$_coex_base
  if [ -L "$2" ] || [ -L "$1" ]; then :
  elif [ -z "$_coex_base" ]; then
    # A user who names a store trusts its owner. Nobody else may write to it, or replace it in the directory above.
    if [ -O "$_coex_store" ]; then [ -O "$1" ] && [ -O "$2" ] && _coex_safe=1
    elif [ ! -w "$_coex_store" ] && [ ! -k "$_coex_store" ]; then _coex_safe=1; fi
    _coex_dir=${_coex_store%/*}/
    [ -O "$_coex_dir" ] || [ ! -w "$_coex_dir" ] || [ -k "$_coex_dir" ] || _coex_safe=
  elif [ "$_coex_base" = site ]; then
    # Root may have filled it: everything on the way has to belong to root, and nobody else may write to it.
    if [ -w "$2" ] || [ -w / ]; then return; fi
    _coex_safe=1
    set -- "$2"
    while [ -n "$_coex_dir" ]; do
      if [ -w "$_coex_dir" ] || [ -k "$_coex_dir" ]; then _coex_safe=; fi
      set -- "$_coex_dir" "$@"
      _coex_dir=${_coex_dir%/*}
    done
    [ -z "$_coex_safe" ] || _coex_of_root / "$@" || _coex_safe=
  elif [ -O "$2" ] && [ ! -L "$_coex_store" ]; then
    # The base and everything below it has to belong to this user. This user may not write to the directories above it,
    # unless they are sticky. `sudo -E` leaves root with the home of another user. So for root, every directory from /
    # on has to belong to root, and must not be a link.
    _coex_safe=1 _coex_super=
    if [ -O / ]; then _coex_super=1; elif [ -w / ]; then _coex_safe=; fi
    while [ -n "$_coex_dir" ]; do
      if [ -O "$_coex_dir" ]; then [ -z "$_coex_super" ] || [ ! -L "$_coex_dir" ] || _coex_safe=
      elif [ -n "$_coex_top$_coex_super" ]; then _coex_safe=
      elif [ -w "$_coex_dir" ] && [ ! -k "$_coex_dir" ]; then _coex_safe=; fi
      [ ! -k "$_coex_dir" ] || _coex_knows_users || _coex_safe=
      [ "$_coex_dir" != "$_coex_top" ] || _coex_top=
      _coex_dir=${_coex_dir%/*}
    done
  fi
  case $_coex_store/ in */../* | */./*) _coex_safe= ;; esac
}
# In a user namespace all users without a number look like one user, and that may be this user.
_coex_knows_users() {
  [ ! -O /proc/sys/kernel/overflowuid ] ||
    { [ -r /proc/self/uid_map ] && read -r _coex_ids _coex_ids _coex_ids </proc/self/uid_map && [ "$_coex_ids" = 4294967295 ]; }
}
# Succeeds if the store $1 has a root that can start, whose file is $_coex_start; $2 is its base.
_coex_ready() {
  _coex_store=$1 _coex_base=$2 _coex_start=$1/@ROOT@/start
  [ -r "$_coex_start" ] && [ -f "$_coex_start" ] && [ -n "$1" ] || return 1
  _coex_trust "$1/@ROOT@" "$_coex_start"
  [ -n "$_coex_safe" ]
}
# Looks at this user's own stores in the directories "$@". dash does not know its user, and no program is started for that.
_coex_temporary() {
  _coex_user=${EUID-}
  if [ -r /proc/self/status ]; then
    while read -r _coex_word _coex_ids _coex_user _coex_ids; do
      [ "$_coex_word" != Uid: ] || break
    done </proc/self/status
  fi
  [ -n "$_coex_user" ] || return 1
  for _coex_word in "$@"; do
    case $_coex_word in
      /*) _coex_ready "${_coex_word%/}/coex-$_coex_user" "${_coex_word%/}/coex-$_coex_user" && return ;;
    esac
  done
  return 1
}
# Looks at the places that the file of the site names, in its order. Python decides on all that is odd in it. This is a
# text for eval, because a shell reads a text faster than code. It has no single quotes.
_coex_site='
_coex_expand() {
  _coex_left=$1 _coex_value=
  while :; do
    _coex_value=$_coex_value${_coex_left%%"\$"*}
    case $_coex_left in *"\$"*) _coex_left=${_coex_left#*"\$"} ;; *) return 0 ;; esac
    case $_coex_left in
      "\$"*) _coex_value="$_coex_value\$" _coex_left=${_coex_left#?}; continue ;;
      "{"*"}"*) _coex_name=${_coex_left%%"}"*} _coex_left=${_coex_left#*"}"} _coex_name=${_coex_name#?} ;;
      *) _coex_name=${_coex_left%%[!$_coex_letters]*} _coex_left=${_coex_left#"$_coex_name"} ;;
    esac
    case $_coex_name in "" | [0123456789]* | *[!$_coex_letters]*) return 1 ;; esac
    eval "_coex_name=\${$_coex_name-}"
    [ -n "$_coex_name" ] || return 2
    _coex_value=$_coex_value$_coex_name
  done
}
# Builtins do not show whether a file belongs to root. A name with a newline only adds lines, which have to be right, too.
_coex_of_root() {
  _coex_left=$(unset TIME_STYLE; LC_ALL=C command ls -ldn "$@" 2>/dev/null)$_coex_line
  while [ -n "$_coex_left" ]; do
    set -- ${_coex_left%%"$_coex_line"*}
    case ${1-}:${3-} in [d-]????-??-?*:0) ;; *) return 1 ;; esac
    _coex_left=${_coex_left#*"$_coex_line"}
  done
}
_coex_letters=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789
_coex_order="store cache temporary memory" _coex_stores= _coex_ordered= _coex_line="
" _coex_file_of_site=${COEX_CONFIG:-/etc/coex.conf}
[ -O "$_coex_file_of_site" ] || { [ -z "${COEX_CONFIG-}" ] && [ ! -w "$_coex_file_of_site" ]; } || return 1
[ -f "$_coex_file_of_site" ] && [ -r "$_coex_file_of_site" ] || return 1
while IFS="$IFS=" read -r _coex_word _coex_value || [ -n "$_coex_word" ]; do
  case $_coex_word in
    "" | "#"*) ;;
    order)
      [ -z "$_coex_ordered" ] && [ -n "$_coex_value" ] || return 1
      _coex_ordered=1 _coex_order=$_coex_value _coex_name=
      for _coex_kind in $_coex_value; do
        case $_coex_kind in store | cache | temporary | memory) ;; *) return 1 ;; esac
        case " $_coex_name " in *" $_coex_kind "*) return 1 ;; esac
        _coex_name="$_coex_name $_coex_kind"
      done ;;
    store)
      case $_coex_value in "" | *:*) return 1 ;; esac
      _coex_expand "$_coex_value"
      case $?$_coex_value in
        0*"$_coex_line"*) return 1 ;;
        0/*) _coex_stores=$_coex_stores$_coex_value$_coex_line ;;
        2*) ;;
        *) return 1 ;;
      esac ;;
    *) return 1 ;;
  esac
done <"$_coex_file_of_site"
for _coex_kind in $_coex_order; do
  case $_coex_kind in
    store)
      while [ -n "$_coex_stores" ]; do
        _coex_word=${_coex_stores%%"$_coex_line"*} _coex_stores=${_coex_stores#*"$_coex_line"}
        _coex_word=${_coex_word%"${_coex_word##*[!/]}"}
        _coex_ready "$_coex_word" "$_coex_word" && return
        _coex_ready "$_coex_word" site && return
      done ;;
    cache) _coex_ready "$_coex_first" "$_coex_above" && return ;;
    temporary) _coex_temporary "${SLURM_TMPDIR-}" "${TMPDIR-}" /tmp /var/tmp && return ;;
    memory) _coex_temporary /dev/shm && return ;;
  esac
done
return 1
'
_coex_search() {
  if [ -n "${COEX_ROOT-}" ]; then _coex_ready "$_coex_first" ""; return; fi
  if [ -n "${COEX_CONFIG-}" ] || [ -e /etc/coex.conf ]; then eval "$_coex_site"; fi
  _coex_ready "$_coex_first" "$_coex_above" || _coex_temporary "${SLURM_TMPDIR-}" "${TMPDIR-}" /tmp /var/tmp /dev/shm
}
if [ "${COEX_TOOLS:-0}" = 0 ] && _coex_search; then
  # If files of the root are missing, `start` returns, and Python unpacks the root again. The client of a server may know
  # a file that another host has removed. `command` keeps a shell from ending when it cannot open that.
  if [ -n "${ZSH_VERSION-}" ]; then setopt posixbuiltins; command . "$_coex_start"
  elif { true <"$_coex_start"; } 2>&-; then command . "$_coex_start"; fi
  _coex_status=$?
  [ -z "$_coex_begun" ] || exit "$_coex_status"
fi
_coex_code='
import sys
del sys.path[0]
try:
    import _signal as signal
except ImportError:
    import signal
if signal.getsignal(signal.SIGINT) is signal.default_int_handler: signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    import struct
    from binascii import crc32
    file = open(sys.argv[1], "rb")
    file.seek(-22, 2)
    file.seek(-22 - sum(struct.unpack("<2L", file.read(22)[12:20])), 2)
    head = file.read(41)
    if head[30:] != b"__main__.py": raise ValueError
    checksum, size = struct.unpack("<2L", head[14:22])
    code = file.read(size)
    file.close()
    if crc32(code) & 0xFFFFFFFF != checksum: raise ValueError
    names = {"__name__": "coex"}
    exec(compile(code, sys.argv[1] + "/__main__.py", "exec"), names)
except Exception:
    why = "not a complete coex archive; get a fresh copy of the file"
    try:
        file = open(sys.argv[1], "rb")
        if file.read(18) != b"#!/bin/sh\n{ : coex": why = "not the archive; start the archive by its path, not through a pipe"
        while file.read(1 << 20): pass
    except EnvironmentError: why = "the archive cannot be read: %s" % sys.exc_info()[1].strerror
    sys.stderr.write("coex: %s: %s\n" % (sys.argv[1], why))
    sys.exit(125)
sys.exit(names["main"](sys.argv[1], sys.argv[2:]))
'
# Some Pythons lack a part of the standard library that is needed here, such as Debian's python3-minimal. The probe
# rejects these. It marks a Python without ctypes, which loads libzstd, with "?": that one is used if there is no other.
_coex_probe='import posix, sys, zipimport
def found(path):
    try: return posix.stat(path)
    except OSError: return None
whole = [place for place in sys.path[1:] if found(place + "/json") or place[-4:] == ".zip" and found(place)]
def lacks(name):
    try: __import__(name)
    except Exception: return True
if whole and sys.version_info >= (2, 7):
    if "__pypy__" not in sys.builtin_module_names and lacks("_zstd") and lacks("_ctypes"): sys.stdout.write("?")
    sys.stdout.write(sys.executable)'
unset PYTHONEXECUTABLE __PYVENV_LAUNCHER__  # some Pythons read their own path from these, even with -E
# An archive may carry a Python for hosts that have none: a gzipped tar in this file, ID OFFSET SIZE. A start keeps it in
# its store. This is a text for eval, because a shell reads a text faster than code. It has no single quotes.
# That Python runs in UTF-8 mode: it has no codecs for the other encodings of locales.
_coex_carried='@PYTHON@' _coex_found= _coex_made= _coex_why=
_coex_id=${_coex_carried%% *}
_coex_carry='
# Finds the Python that an earlier start has kept, or unpacks it. The latter may be interrupted. The caller may have
# exported functions that have the names of programs: `command` passes over them, in zsh only with an option.
_coex_find() {
  [ -z "${ZSH_VERSION-}" ] || setopt posixbuiltins
  _coex_user=$(command id -u 2>/dev/null) _coex_own=$_coex_first _coex_base=$_coex_above _coex_lacks=
  _coex_kept_python "$_coex_own" && return
  for _coex_dir in "${SLURM_TMPDIR-}" "${TMPDIR-}" /tmp /var/tmp /dev/shm; do
    case ${COEX_ROOT:+set}$_coex_dir in /*) _coex_base=$_coex_dir/coex-$_coex_user; _coex_kept_python "$_coex_base" && return ;; esac
  done
  for _coex_dir in cat chmod dd gzip head id ls mkdir rm tail tar; do
    command -v "$_coex_dir" >/dev/null 2>&1 || _coex_lacks="${_coex_lacks:+$_coex_lacks, }$_coex_dir"
  done
  if [ -n "$_coex_lacks" ]; then _coex_why="missing on this host: $_coex_lacks; install them, or install python3"; return 1; fi
  { _coex_dir=$(command tail -c 22 "$_coex_file" | command head -c 4); } 2>/dev/null
  case $_coex_dir in
    PK??) ;;
    *)
      _coex_why="the archive is not complete; get a fresh copy of the file"
      _coex_dir=
      { { read -r _coex_dir && read -r _coex_dir; } <"$_coex_file"; } 2>/dev/null
      case $_coex_dir in "{ : coex"*) ;; *) _coex_why="no archive is there; start the archive by its path, not through a pipe" ;; esac
      return 1 ;;
  esac
  trap "_coex_end INT" INT
  trap "_coex_end TERM" TERM
  trap "_coex_end HUP" HUP
  _coex_unpack
  _coex_dir=$?
  trap - INT TERM HUP
  return "$_coex_dir"
}
_coex_end() {
  [ -z "$_coex_made" ] || command rm -rf "$_coex_made"
  trap - "$1"
  kill -s "$1" $$
}
# Takes the Python in the store $1.
_coex_kept_python() {
  _coex_store=$1 _coex_at=$1/python-$_coex_id
  [ -n "$1" ] && [ -f "$_coex_at/used" ] && [ -r "$_coex_at/used" ] || return 1
  _coex_trust "$_coex_at" "$_coex_at/used"
  [ -n "$_coex_safe" ] || return 1
  { true >|"$_coex_at/used"; } 2>/dev/null
  _coex_found=$("$_coex_at/bin/python" -E -s -S -X utf8 -c "$_coex_probe" </dev/null 2>/dev/null) && [ -n "$_coex_found" ]
}
# Unpacks into the first place that can serve, and says why the others cannot.
_coex_unpack() {
  { read -r _coex_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null || _coex_boot=
  _coex_host=$({ command printf "%s\n%s\n%s" "$(command uname -n)" "$_coex_boot" "$(command readlink /proc/self/ns/pid)" | command sha256sum; } 2>/dev/null)
  _coex_host=${_coex_host%"${_coex_host#????????????????}"}
  _coex_at=${_coex_carried#* } _coex_size=${_coex_carried#* * }
  _coex_at=${_coex_at%% *} _coex_size=${_coex_size%% *}
  for _coex_place in "$_coex_own" "${SLURM_TMPDIR-}" "${TMPDIR-}" /tmp /var/tmp /dev/shm "${HOME-}"; do
    case $_coex_place in /*) ;; *) continue ;; esac
    _coex_fault=
    _coex_take && return
    [ -z "$_coex_made" ] || command rm -rf "$_coex_made"
    _coex_made=
    case $_coex_fault in
      "damaged "*)
        _coex_why="the archive is not complete (${_coex_fault#damaged }); get a fresh copy of the file"
        return 1 ;;
    esac
    _coex_why=$_coex_why${_coex_fault:+${_coex_why:+, }$_coex_place: $_coex_fault}
    case $_coex_fault in "it does not run"*) _coex_why="$_coex_why; install python3"; return 1 ;; esac
  done
  _coex_why="${_coex_why:-no directory is there for it}; name a directory of yours in TMPDIR, or install python3"
  return 1
}
# Prints the gzipped tar.
_coex_packed() {
  {
    command dd if="$_coex_file" bs=65536 skip=$((_coex_at / 65536)) |
      command tail -c +$((_coex_at % 65536 + 1)) | command head -c "$_coex_size"
  } 2>/dev/null
}
# Unpacks into a new directory of $_coex_place, and tries it. Its name is that of a leftover of this process.
_coex_take() {
  _coex_up=$(command cd -P -- "$_coex_place" >/dev/null 2>&1 && command pwd -P) && [ -w "$_coex_up" ] || return 1
  _coex_alone "$_coex_up" || { _coex_fault="others may write to it, or replace it"; return 1; }
  for _coex_dir in 0 1 2 3 4 5 6 7 8 9; do
    _coex_dir=${_coex_up%/}/$_coex_id.python-${_coex_host:-0}-$$-0-$_coex_dir
    command mkdir -m 700 "$_coex_dir" 2>/dev/null && _coex_made=$_coex_dir && break
  done
  [ -n "$_coex_made" ] || { _coex_fault="no directory can be made in it"; return 1; }
  { command echo "#!/bin/sh" >"$_coex_made/try" && command chmod 700 "$_coex_made/try" && "$_coex_made/try"; } 2>/dev/null ||
    { _coex_fault="no program can be started from it"; return 1; }
  _coex_fault=$(
    exec 3>&1
    unset TAR_OPTIONS GZIP
    _coex_packed | { command gzip -dc 2>&3 || command echo "gzip failed" >&3; } |
      { (umask 022 && command cd "$_coex_made" && LC_ALL=C command tar -xf -) >&3 2>&3 || command echo "tar failed" >&3; }
  )
  _coex_fault=$(set -f; command echo $_coex_fault)
  case $_coex_fault in
    *"gzip failed"* | *"tar failed"*)
      # If tar ends early, so does gzip. Whether the place is full or the archive is damaged, gzip alone can say.
      _coex_dir=$(unset GZIP; _coex_packed | { command gzip -dc 2>&1 >/dev/null || command echo "gzip failed"; })
      case $_coex_dir in
        *"gzip failed"*) _coex_fault="damaged $(set -f; command echo $_coex_dir)" ;;
        # GNU tar says so of each file.
        *) case $_coex_fault in *"No space left"* | *"uota exceeded"*) _coex_fault="no space is left" ;; esac ;;
      esac
      return 1 ;;
  esac
  _coex_found=$_coex_made/bin/python
  if _coex_fault=$("$_coex_found" -E -s -S -X utf8 -c "$_coex_probe" </dev/null 2>&1); then
    case $_coex_fault in *"$_coex_found") return 0 ;; esac  # a loader may warn before that
  fi
  _coex_fault="it does not run: $(set -f; command echo $_coex_fault)" _coex_found=
  [ -e /proc/self ] || _coex_fault="$_coex_fault; this host has no /proc, by which it finds its libraries"
  return 1
}
# Succeeds if nobody but this user and root may write to the directory $1, or replace it. A sticky directory protects the
# names in it. In a user namespace an owner without a number counts as root, unless anybody may have made the directory.
_coex_alone() {
  _coex_dir=$1 _coex_unknown= _coex_odd=
  { read -r _coex_ids _coex_ids _coex_ids </proc/self/uid_map && [ "$_coex_ids" = 4294967295 ]; } 2>/dev/null ||
    _coex_unknown=$(command cat /proc/sys/kernel/overflowuid 2>/dev/null)
  while :; do
    set -- $(unset TIME_STYLE; LC_ALL=C command ls -ldn "${_coex_dir:-/}" 2>/dev/null)
    case ${1-} in
      d????-??-?*) ;;
      d????????[tT]*) [ -z "$_coex_odd" ] || return 1 ;;
      *) return 1 ;;
    esac
    case ${3-} in
      "$_coex_unknown") _coex_odd=1 ;;
      0 | "$_coex_user") _coex_odd= ;;
      *) return 1 ;;
    esac
    [ -n "$_coex_dir" ] || return 0
    _coex_dir=${_coex_dir%/*}
  done
}'
if [ "${COEX_PYTHON-}" = carried ] && [ -n "$_coex_id" ]; then
  eval "$_coex_carry"
  _coex_find && exec "$_coex_found" -E -s -S -X utf8 ${_coex_made:+-X} ${_coex_made:+"coex=$_coex_made"} -c "$_coex_code" "$_coex_file" "$@"
  echo "coex: $_coex_file: the Python that it carries cannot be used: $_coex_why" >&2
  exit 127
fi
# A probe takes as long as a Python that starts. So the Python $_coex_found is not probed if its library is whole beside it,
# and all libraries that it and its ctypes need are there: the loader of glibc lists these, and starts nothing. A list is
# not asked of the system's own. With libraries of the caller a Python may not run. zsh and failglob of bash end a script
# if a pattern has no match. A name that begins with a dash would be an option of exec. Programs of Nix may be compiled
# wrappers that set variables.
# This is a text for eval, because a shell reads a text faster than code. It has no single quotes.
_coex_look='
_coex_whole() {
  [ -z "${LD_LIBRARY_PATH-}${LD_PRELOAD-}${ZSH_VERSION-}" ] || return 1
  case ${BASHOPTS-}$_coex_found in *failglob* | */nix/store/*) return 1 ;; esac
  case $_coex_found in /bin/* | /*/bin/*) ;; *) return 1 ;; esac
  _coex_up=${_coex_found%/bin/*}
  for _coex_at in "$_coex_up"/lib*/python3.*/lib-dynload/_ctypes.*.so "$_coex_up"/lib*/python2.7/lib-dynload/_ctypes.so; do
    _coex_dir=${_coex_at%/lib-dynload/*}
    _coex_own=$_coex_up/bin/${_coex_dir##*/}
    [ "$_coex_found" -ef "$_coex_own" ] && [ -f "$_coex_own" ] && [ ! -L "$_coex_own" ] && [ -x "$_coex_own" ] || continue
    for _coex_word in json/__init__ os abc codecs io encodings/__init__ encodings/aliases encodings/utf_8; do
      [ -s "$_coex_dir/$_coex_word.py" ] && [ -r "$_coex_dir/$_coex_word.py" ] || continue 2
    done
    [ "$_coex_up" != /usr ] || return 0
    IFS= read -r _coex_word <"$_coex_own" || return 1
    case $_coex_word in "#!"*) return 1 ;; esac  # it may change the environment
    case $(LD_TRACE_LOADED_OBJECTS=1 LD_PRELOAD=$_coex_at "$_coex_found" -V </dev/null 2>&1) in
      *"not found"*) ;;
      *"$_coex_at ("*) return 0 ;;
    esac
    return 1
  done
  return 1
} 2>&-
'
eval "$_coex_look"
# On macOS, /usr/bin/python3 opens a dialog unless the developer tools are installed. xcode-select
# finds that out without a dialog.
_coex_last= _coex_mac=
case @CACHES@ in Library/*) _coex_mac=mac ;; esac
for _coex_python in ${COEX_PYTHON:+"$COEX_PYTHON"} python3 python python2 \
  python3.20 python3.19 python3.18 python3.17 python3.16 python3.15 python3.14 python3.13 python3.12 \
  python3.11 python3.10 python3.9 python3.8 python3.7 python3.6 python3.5 python3.4 python3.3 python2.7 \
  pypy3 pypy /usr/bin/python3 /usr/local/bin/python3 /usr/libexec/platform-python \
  /opt/homebrew/bin/python3 /opt/conda/bin/python3 mac "${CONDA_PYTHON_EXE-}" \
  /Library/Frameworks/Python.framework/Versions/Current/bin/python3 /opt/miniconda3/bin/python3 /opt/anaconda3/bin/python3 \
  developer-tools
do
  case $_coex_mac:$_coex_python in
    :mac) break ;;
    mac:"${COEX_PYTHON-}") ;;
    mac:python3) [ "$(command -v python3)" != /usr/bin/python3 ] || continue ;;
    mac:mac | mac:/usr/bin/python3) continue ;;
    mac:developer-tools) /usr/bin/xcode-select -p >/dev/null 2>&1 || continue; _coex_python=/usr/bin/python3 ;;
  esac
  case $_coex_mac:$_coex_python in
    :*/*) _coex_found=$_coex_python ;;
    :*) _coex_found=$(command -v -- "$_coex_python") || continue ;;
    *) _coex_found= ;;
  esac
  _coex_whole && exec "$_coex_found" -E -s -S -c "$_coex_code" "$_coex_file" "$@"
  # The interpreter itself is started, not a shim on PATH that changes the environment.
  if [ -c /dev/null ]; then _coex_found=$(command "$_coex_python" -E -s -S -c "$_coex_probe" </dev/null 2>/dev/null) || continue
  else _coex_found=$(command "$_coex_python" -E -s -S -c "$_coex_probe" <&- 2>&-) || continue; fi
  case $_coex_found in
    '?'*) [ -n "$_coex_last" ] || _coex_last=${_coex_found#?} ;;
    ?*) [ ! -x "$_coex_found" ] || exec "$_coex_found" -E -s -S -c "$_coex_code" "$_coex_file" "$@" ;;
  esac
done
if [ -n "$_coex_id" ]; then
  eval "$_coex_carry"
  _coex_find && exec "$_coex_found" -E -s -S -X utf8 ${_coex_made:+-X} ${_coex_made:+"coex=$_coex_made"} -c "$_coex_code" "$_coex_file" "$@"
fi
[ -z "$_coex_last" ] || exec "$_coex_last" -E -s -S -c "$_coex_code" "$_coex_file" "$@"
if [ -n "$_coex_id" ]; then
  _coex_why="no Python was found, and the one that it carries cannot be used: $_coex_why"
else
  _coex_why="no Python with its standard library was found to unpack it; install python3, or name one in COEX_PYTHON"
  _coex_why="$_coex_why; an archive made with --carry-python needs none"
fi
echo "coex: $_coex_file: $_coex_why" >&2
exit 127
}
