# slug TITLE: prints the title as the last part of a web address.
slug() {
  printf '%s\n' "$1"
}
