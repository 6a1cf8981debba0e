# What the checks of the examples share. Sourced by their check.sh, which stands in the example's folder.
# PIPEFILE is the program to check; by default the one on PATH.

set -eu
cd "$(dirname "$0")"
PIPEFILE=${PIPEFILE:-pipefile}

say() { printf '%s: %s\n' "$(basename "$PWD")" "$*"; }

fail() { say "FAILED: $*" >&2; exit 1; }

# afresh: remove whatever the last check has left, earlier results in the cache too: what is there need not run.
afresh() {
  "$PIPEFILE" clean -q >/dev/null 2>&1 || fail "clean failed"
  rm -rf pipeline_outputs
}

# build EXPECTED [ARGUMENT]...: build; EXPECTED stages have to run: a number, "some" for any number, or their names, as "train report" or "thumb@a.jpg".
# The name of a stage whose fallback ran is NAME=degraded.
build() {
  expected=$1
  shift
  "$PIPEFILE" build --json "$@" >build.events 2>build.words || { cat build.words; rm -f build.events build.words; fail "the build failed"; }
  ran=$(sed -n 's/.*"event": *"build_finished".*"ran": *\([0-9]*\).*/\1/p' build.events)
  names=$(stages build.events)
  rm -f build.events build.words
  case $expected in
    some) [ "${ran:-0}" -gt 0 ] || fail "a build from scratch ran nothing" ;;
    *[!0-9]*) [ "$names" = "$(sorted $expected)" ] || fail "these stages should have run: $expected; not these: ${names:-none}" ;;
    *) [ "${ran:-none}" = "$expected" ] || fail "$expected stages should have run, not ${ran:-none}${names:+: $names}" ;;
  esac
  [ "${ran:-0}" -gt 9 ] && say "$ran stages ran" || say "${names:-nothing} ran"
}

# stages FILE: the stages that ran, out of the events of a build, sorted, on one line.
stages() {
  sorted $(sed -n -e 's/.*"event": *"stage_finished".*"stage": *"\([^"]*\)", *"instance": *"\([^"]*\)".*"status": *"ran".*/\1@\2/p' \
    -e 's/.*"event": *"stage_finished".*"stage": *"\([^"]*\)".*"status": *"degraded".*/\1=degraded/p' "$1" | sed 's/@$//')
}

# restored EXPECTED [ARGUMENT]...: build; nothing has to run, and what EXPECTED stages made before is put back.
restored() {
  expected=$1
  shift
  "$PIPEFILE" build --json "$@" >build.events 2>build.words || { cat build.words; rm -f build.events build.words; fail "the build failed"; }
  names=$(stages build.events)
  back=$(sorted $(sed -n 's/.*"event": *"stage_finished".*"stage": *"\([^"]*\)".*"status": *"restored".*/\1/p' build.events))
  rm -f build.events build.words
  [ -z "$names" ] || fail "nothing should have run, and these did: $names"
  [ "$back" = "$(sorted $expected)" ] || fail "these stages should have been restored: $expected; not these: ${back:-none}"
  say "$back restored"
}

sorted() { printf '%s\n' "$@" | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//'; }

# holds FILE TEXT: FILE has a line with TEXT in it.
holds() { grep -qF -e "$2" "$1" || { cat "$1"; fail "$1 does not hold \`$2\`"; }; }
