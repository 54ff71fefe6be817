#!/bin/sh
# A worker in a few lines: reads the ticket, changes the repository, tests the change, says what it did.
# It stands for any coding agent; the daemon starts whatever command its configuration names.
set -eu
cd "$OPENPOD_WORKSPACE"

if grep -q 'a dash at the end' "$OPENPOD_TICKET_FILE"; then
  summary="Slugs no longer begin or end with a dash, and a test shows it."
  trim="; s/^-//; s/-\$//"
  grep -q 'Hello! ' test.sh || sed -i.bak 's/^exit /expect " Hello! " "hello"\n\nexit /' test.sh
else
  summary="Slugs are lower case, and everything but letters and digits becomes a single dash."
  trim="; s/-\$//"
fi

cat > slug.sh <<SLUG
# slug TITLE: prints the title as the last part of a web address.
slug() {
  printf '%s\n' "\$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9][^a-z0-9]*/-/g$trim'
}
SLUG
rm -f test.sh.bak

sh test.sh
printf '%s\n' "$summary" > "$OPENPOD_SUMMARY_FILE"
