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
_coex_store= _coex_base= _coex_kept=
case ${COEX_ROOT:+set}${COEX_ROOT-} in
  set/*) _coex_store=$COEX_ROOT ;;
  set*) _coex_store=$PWD/$COEX_ROOT ;;
  *) case ${XDG_CACHE_HOME-} in
       /*) _coex_base=$XDG_CACHE_HOME _coex_store=$XDG_CACHE_HOME/coex ;;
       *) case ${HOME-} in /?*) _coex_base=$HOME _coex_store=$HOME/@CACHES@/coex ;; esac ;;
     esac ;;
esac
_coex_store=${_coex_store%"${_coex_store##*[!/]}"}
_coex_dir=$_coex_store/@ROOT@ _coex_start=$_coex_store/@ROOT@/start _coex_safe=
if [ "${COEX_TOOLS:-0}" = 0 ] && [ -r "$_coex_start" ] && [ -n "$_coex_store" ]; then
  # Could another user replace the file that is sourced? Builtins show whether a directory is this user's, and whether
  # this user may write to it. If that is not enough, Python decides, by owners and modes. Python makes roots only in
  # directories that nobody else may write to. The tests look at names, and `.` opens the name after them. A user who
  # can write to a directory on the way (after a chmod by this user, or as a member of its group) can act in between.
  if [ -L "$_coex_start" ] || [ -L "$_coex_dir" ]; then :
  elif [ -n "${COEX_ROOT:+set}" ]; then
    # A user who names a store trusts its owner. Nobody else may write to it, or replace it in the directory above.
    if [ -O "$_coex_store" ]; then [ -O "$_coex_dir" ] && [ -O "$_coex_start" ] && _coex_safe=1
    elif [ ! -w "$_coex_store" ] && [ ! -k "$_coex_store" ]; then _coex_safe=1; fi
    _coex_dir=${_coex_store%/*}/
    [ -O "$_coex_dir" ] || [ ! -w "$_coex_dir" ] || [ -k "$_coex_dir" ] || _coex_safe=
  elif [ -O "$_coex_start" ] && [ ! -L "$_coex_store" ]; then
    # The home and everything below it has to belong to this user. This user may not write to the directories above it,
    # unless they are sticky. `sudo -E` leaves root with the home of another user. So for root, every directory from /
    # on has to belong to root, and must not be a link.
    _coex_safe=1 _coex_super=
    if [ -O / ]; then _coex_super=1; elif [ -w / ]; then _coex_safe=; fi
    while [ -n "$_coex_dir" ]; do
      if [ -O "$_coex_dir" ]; then [ -z "$_coex_super" ] || [ ! -L "$_coex_dir" ] || _coex_safe=
      elif [ -n "$_coex_base$_coex_super" ]; then _coex_safe=
      elif [ -w "$_coex_dir" ] && [ ! -k "$_coex_dir" ]; then _coex_safe=; fi
      # In a user namespace all users without a number look like one user, and that may be this user.
      if [ -k "$_coex_dir" ] && [ -O /proc/sys/kernel/overflowuid ]; then
        { read -r _coex_ids _coex_ids _coex_ids </proc/self/uid_map && [ "$_coex_ids" = 4294967295 ]; } 2>/dev/null || _coex_safe=
      fi
      [ "$_coex_dir" != "$_coex_base" ] || _coex_base=
      _coex_dir=${_coex_dir%/*}
    done
  fi
  case $_coex_store/ in */../* | */./*) _coex_safe= ;; esac
  # If files of the root are missing, `start` returns, and Python unpacks the root again.
  if [ -n "$_coex_safe" ]; then . "$_coex_start"; fi
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
    file = open(sys.argv[1], "rb")
    file.seek(-22, 2)
    file.seek(-22 - sum(struct.unpack("<2L", file.read(22)[12:20])), 2)
    head = file.read(41)
    if head[30:] != b"__main__.py": raise ValueError
    code = file.read(*struct.unpack("<L", head[18:22]))
    file.close()
    names = {"__name__": "coex"}
    exec(compile(code, sys.argv[1] + "/__main__.py", "exec"), names)
except Exception:
    why = "not a complete coex archive; get a fresh copy of the file"
    try:
        file = open(sys.argv[1], "rb")
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
# On macOS, /usr/bin/python3 opens a dialog unless the developer tools are installed. xcode-select
# finds that out without a dialog.
_coex_last= _coex_mac= _coex_carried='@PYTHON@'
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
  # Start the interpreter itself: a shim on PATH may change the environment.
  _coex_found=$("$_coex_python" -E -s -S -c "$_coex_probe" </dev/null 2>/dev/null) || continue
  case $_coex_found in
    '?'*) [ -n "$_coex_last" ] || _coex_last=${_coex_found#?} ;;
    ?*) exec "$_coex_found" -E -s -S -c "$_coex_code" "$_coex_file" "$@" ;;
  esac
done
[ -z "$_coex_last" ] || exec "$_coex_last" -E -s -S -c "$_coex_code" "$_coex_file" "$@"
echo "coex: $_coex_file: no Python with its standard library was found to unpack it; install python3, or name one in COEX_PYTHON" >&2
exit 127
}
