#!/bin/sh
# Over a thousand files: built twice, counted again another way; one file edited.
. "$(dirname "$0")/../check_lib.sh"

python3 collect.py
afresh
build some
python3 check.py
build 0
"$PIPEFILE" status --check >/dev/null || fail "status --check says that something is stale"

# One line more in one file: that file, its package, and what shows all of them.
echo "one_line_more = True" >>corpus/argparse/argparse.py
build "chart count@corpus/argparse/FILES merge table tokenise@corpus/argparse/argparse.py"
python3 check.py

# Blanks at the end of a line: tokenised again, to the same counts, so nothing else runs.
sed 's/^one_line_more = True$/&  /' corpus/argparse/argparse.py >build/edited && cp build/edited corpus/argparse/argparse.py && rm build/edited
build "tokenise@corpus/argparse/argparse.py"
build 0
