"""PyGithub, from the App's key to a merged pull request."""

import json
import sys

import github

facts = json.load(open(sys.argv[1], encoding="utf-8"))
owner, name, base = facts["owner"], facts["repository"], facts["api_url"]

app = github.GithubIntegration(auth=github.Auth.AppAuth(facts["app_id"], facts["private_key"]), base_url=base)
installation = app.get_repo_installation(owner, name)
assert installation.id == facts["installation_id"]
token = app.get_access_token(installation.id, permissions={"contents": "write", "pull_requests": "write"})
assert token.permissions["contents"] == "write", token.permissions

hub = github.Github(auth=github.Auth.Token(token.token), base_url=base, per_page=2)
repo = hub.get_repo(f"{owner}/{name}")
assert repo.default_branch == "main"
sha = repo.get_branch("main").commit.sha
for n in range(1, 4):
    branch = f"pygithub/{n}"
    repo.create_git_ref(f"refs/heads/{branch}", sha)
    repo.create_file(f"notes/{n}.md", f"Write {n}", f"{n}\n", branch=branch)
    repo.create_pull(base="main", head=branch, title=branch, body="Done.")

pulls = [p for p in repo.get_pulls(state="all", sort="created", direction="desc") if p.head.ref.startswith("pygithub/")]
assert [p.head.ref for p in pulls] == ["pygithub/3", "pygithub/2", "pygithub/1"], pulls
pull = repo.get_pulls(head=f"{owner}:pygithub/1")[0]
assert pull.additions == 1 and pull.changed_files == 1
assert [f.filename for f in pull.get_files()] == ["notes/1.md"]
assert [c.sha for c in pull.get_commits()] == [pull.head.sha]
pull.create_issue_comment("Ready.")
assert [c.body for c in pull.get_issue_comments()] == ["Ready."]
pull.edit(title="A better title")
assert repo.get_pull(pull.number).title == "A better title"
assert repo.get_contents("notes/1.md", ref="pygithub/1").decoded_content == b"1\n"
assert pull.merge(sha=pull.head.sha).merged
assert repo.get_pull(pull.number).is_merged()

try:
    repo.create_pull(base="main", head="nowhere", title="x")
    raise SystemExit("a pull request without a branch was opened")
except github.GithubException as error:
    assert error.status == 422, error
try:
    repo.get_commit(sha).create_status("success")
    raise SystemExit("a status was written without the permission")
except github.GithubException as error:
    assert error.status == 403, error

person = github.Github(auth=github.Auth.Token(facts["person_token"]), base_url=base)
assert person.get_user().login == "olivia"
assert person.get_rate_limit().resources.core.limit == 5000
print("  PyGithub: all fine")
