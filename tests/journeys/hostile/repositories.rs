//! The table of what a repository may hold before anybody works in it. Each row is shell, run in the bare repository
//! behind the forge's back; `tree` makes a commit of the tree that standard input lists the entries of, beside the files
//! that are there.

use super::attack::Must::{Deliver, Refuse};
use super::attack::{Attack, attack};

/// What the scripts may use.
pub const PRELUDE: &str = r#"
set -eu
export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@x.invalid GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@x.invalid
blob() { git hash-object -w --stdin; }
tree() {
  { git ls-tree main | grep -v "	$1\$"; cat; } | git mktree --missing > tree-of-the-attack
  git update-ref refs/heads/main "$(git commit-tree -p main -m Attack "$(cat tree-of-the-attack)")"
}
plain=$(echo plain | blob)
"#;

/// Trees that no git should ever check out.
pub const TREES: &[Attack] = &[
    attack("git-directory-in-the-tree", Refuse("hasDotgit")).doing(
        r#"config=$(printf '[core]\n\tfsmonitor = %s\n' "$CANARY" | blob)
           inner=$(printf '100644 blob %s\tconfig\n' "$config" | git mktree)
           printf '040000 tree %s\t.git\n' "$inner" | tree none"#,
    ),
    attack("git-directory-in-capitals", Refuse("hasDotgit"))
        .doing(r#"printf '100644 blob %s\t.GIT\n' "$plain" | tree none"#),
    attack("git-directory-of-dos", Refuse("hasDotgit"))
        .doing(r#"printf '100644 blob %s\tgit~1\n' "$plain" | tree none"#),
    attack("git-directory-with-what-hfs-ignores", Refuse("hasDotgit"))
        .doing(r#"printf '100644 blob %s\t.g\342\200\214it\n' "$plain" | tree none"#),
    attack("directory-above-in-the-tree", Refuse("hasDotdot")).doing(
        r#"inner=$(printf '100644 blob %s\tx\n' "$plain" | git mktree)
           printf '040000 tree %s\t..\n' "$inner" | tree none"#,
    ),
    attack("two-files-of-one-name", Refuse("duplicateEntries"))
        .doing(r#"printf '100644 blob %s\tx\n120000 blob %s\tx\n' "$plain" "$plain" | tree none"#),
    attack("modules-that-are-an-option", Refuse("gitmodulesUrl")).doing(
        r#"file=$(printf '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n' | blob)
           printf '100644 blob %s\t.gitmodules\n' "$file" | tree none"#,
    ),
    attack("modules-that-are-a-link", Refuse("gitmodulesSymlink"))
        .doing(r#"printf '120000 blob %s\t.gitmodules\n' "$(printf README.md | blob)" | tree none"#),
];

/// Repositories that are odd, and in which one can work.
pub const ODD: &[Attack] = &[
    attack("attributes-name-filters", Deliver(&[])).doing(
        r#"file=$(printf '* filter=evil diff=evil merge=evil\n*.bin filter=lfs\n' | blob)
           large=$(printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 1 | blob)
           lfs=$(printf '[lfs]\n\turl = %s\n' "$EVIL" | blob)
           printf '100644 blob %s\t.gitattributes\n100644 blob %s\tlarge.bin\n100644 blob %s\t.lfsconfig\n' \
             "$file" "$large" "$lfs" | tree none"#,
    ),
    attack("attributes-that-are-a-link", Deliver(&[]))
        .doing(r#"printf '120000 blob %s\t.gitattributes\n' "$(printf /etc/passwd | blob)" | tree none"#),
    attack("submodule-of-somebody-else", Deliver(&[])).doing(
        r#"file=$(printf '[submodule "lib"]\n\tpath = lib\n\turl = %s/lib.git\n' "$EVIL" | blob)
           printf '100644 blob %s\t.gitmodules\n160000 commit %040d\tlib\n' "$file" 1 | tree none"#,
    ),
    attack("names-that-differ-in-case-only", Deliver(&[]))
        .doing(r#"printf '100644 blob %s\tReadMe.md\n' "$plain" | tree none"#),
    attack("names-that-are-options-of-git", Deliver(&[]))
        .doing(r#"printf '100644 blob %s\t--upload-pack=x\n' "$plain" | tree none; git update-ref refs/heads/-x main"#),
    attack("replaced-objects-on-the-forge", Deliver(&[]))
        .doing(r#"git update-ref "refs/replace/$(git rev-parse main:README.md)" "$plain""#),
    attack("branch-in-the-way", Refuse("the repository refused the branch")).doing("git branch openpod main"),
    attack("head-that-leads-nowhere", Deliver(&[])).doing("git symbolic-ref HEAD refs/heads/none"),
    attack("files-as-sharp-as-knives", Deliver(&[])).doing(
        r#"file=$(printf '#!/bin/sh\n%s < /dev/null\n' "$CANARY" | blob)
           for name in build.rs conftest.py Makefile .envrc .pre-commit-config.yaml sitecustomize.py git; do
             printf '100755 blob %s\t%s\n' "$file" "$name"
           done | tree none"#,
    ),
];

/// Links in the tree that lead the worker's honest hand to where it must not write. Only where workers are confined.
pub const LINKS: &[Attack] = &[
    attack("answer-that-leads-to-the-daemon", Refuse("without changing anything"))
        .doing(r#"printf '120000 blob %s\tanswer.txt\n' "$(printf %s "$RECORD" | blob)" | tree answer.txt"#),
    attack("link-that-nobody-touches", Deliver(&[]))
        .doing(r#"printf '120000 blob %s\tpasswords\n' "$(printf /etc/passwd | blob)" | tree none"#),
];
