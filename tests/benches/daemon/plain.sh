#!/bin/sh
# A ticket by hand: the daemon's steps with curl and git, a warm mirror, and none of its care. It looks at nothing twice,
# confines nobody, writes nothing down, and trusts what the worker left.
set -eu

api() { curl -sSf -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' "$@"; }
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$2"; }

api "$API/heartbeat" > heartbeat.json
api -X PATCH "$API/tickets/$TICKET" -d '{"status":"in_progress"}' > claimed.json

api "$API/github/token?project_id=$PROJECT" > token.json
TOKEN=$(field token token.json)
export TOKEN
url=$(field clone_url token.json)
forge=$(field api_url token.json)
repository=$(field repo_owner token.json)/$(field repo_name token.json)
branch=plain/$TICKET
helper='!f() { echo username=x-access-token; echo "password=$TOKEN"; }; f'
git -C "$MIRROR" -c credential.helper="$helper" fetch -q --no-tags "$url" +refs/heads/main:refs/remotes/origin/main
git -C "$MIRROR" worktree add -q -b "$branch" "$PWD/workspace" origin/main
cd workspace

api "$API/tickets/$TICKET" > ../ticket.json
api "$API/knowledge?project_id=$PROJECT&limit=100" > ../knowledge.json
sh -c "$WORKER"

git add -A
git commit -q -m 'Answer the question'
hash=$(git diff --binary --full-index origin/main HEAD | sha256sum | cut -d ' ' -f 1)
git -c credential.helper="$helper" push -q "$url" "HEAD:refs/heads/$branch"
curl -sSf -H "Authorization: Bearer $TOKEN" "$forge/repos/$repository/pulls" \
  -d "{\"title\":\"Answer the question\",\"head\":\"$branch\",\"base\":\"main\",\"body\":\"By hand\"}" > ../pull.json
pull=$(grep -o '"html_url":"[^"]*/pull/[0-9]*"' ../pull.json | head -n 1 | cut -d '"' -f 4)
api "$API/github/verify-deliverable" -d "{\"project_id\":\"$PROJECT\",\"pr_url\":\"$pull\"}" > ../verified.json
api -X PATCH "$API/tickets/$TICKET" -d "{\"status\":\"in_review\",\"branch_name\":\"$branch\",\"deliverables\":[
  {\"type\":\"pull_request\",\"url\":\"$pull\",\"label\":\"By hand\",\"content_hash\":\"$hash\"}]}" > ../delivered.json
