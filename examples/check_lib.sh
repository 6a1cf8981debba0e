# What the checks of the examples share. Sourced by their check.sh, which stands in the example's folder.
# PIPEFILE is the program to check; by default the one on PATH.

set -eu
cd "$(dirname "$0")"
PIPEFILE=${PIPEFILE:-pipefile}

say() { printf '%s: %s\n' "$(basename "$PWD")" "$*"; }

fail() { say "FAILED: $*" >&2; exit 1; }

# build EXPECTED [ARGUMENT]...: build; EXPECTED stages, or any number ("some"), have to run.
build() {
  expected=$1
  shift
  "$PIPEFILE" build --json "$@" >build.events 2>build.words || { cat build.words; rm -f build.events build.words; fail "the build failed"; }
  ran=$(sed -n 's/.*"event": *"build_finished".*"ran": *\([0-9]*\).*/\1/p' build.events)
  rm -f build.events build.words
  case $expected in
    some) [ "${ran:-0}" -gt 0 ] || fail "a build from scratch ran nothing" ;;
    *) [ "${ran:-none}" = "$expected" ] || fail "$expected stages should have run, not ${ran:-none}" ;;
  esac
  say "$ran ran"
}

# holds FILE TEXT: FILE has a line with TEXT in it.
holds() { grep -qF -e "$2" "$1" || { cat "$1"; fail "$1 does not hold \`$2\`"; }; }
