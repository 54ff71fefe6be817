# Compares what slug prints with what it should print. Exits with the number of differences.
. ./slug.sh

failures=0

expect() {
  actual=$(slug "$1")
  if [ "$actual" != "$2" ]; then
    printf 'slug "%s" printed "%s" instead of "%s"\n' "$1" "$actual" "$2"
    failures=$((failures + 1))
  fi
}

expect "Hello" "hello"
expect "Hello World" "hello-world"
expect "Hello, World!" "hello-world"

exit "$failures"
