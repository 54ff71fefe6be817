// @octokit/rest and @octokit/auth-app, from the App's key to a merged pull request.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Octokit } from "@octokit/rest";
import { createAppAuth } from "@octokit/auth-app";

const facts = JSON.parse(readFileSync(process.argv[2]));
const { owner, repository: repo } = facts;
const baseUrl = facts.api_url;
const auth = { appId: facts.app_id, privateKey: facts.private_key };

const app = new Octokit({ baseUrl, authStrategy: createAppAuth, auth });
assert.equal((await app.rest.apps.getAuthenticated()).data.slug, "openpod");
const found = await app.rest.apps.getRepoInstallation({ owner, repo });
assert.equal(found.data.id, facts.installation_id);

const octokit = new Octokit({
  baseUrl,
  authStrategy: createAppAuth,
  auth: { ...auth, installationId: found.data.id, repositoryNames: [repo] },
});
const { data: repository } = await octokit.rest.repos.get({ owner, repo });
assert.equal(repository.clone_url, `${facts.web_url}${owner}/${repo}.git`);

const main = await octokit.rest.git.getRef({ owner, repo, ref: "heads/main" });
const branches = Array.from({ length: 5 }, (_, n) => `octokit/${n + 1}`);
for (const branch of branches) {
  await octokit.rest.git.createRef({ owner, repo, ref: `refs/heads/${branch}`, sha: main.data.object.sha });
  await octokit.rest.repos.createOrUpdateFileContents({
    owner, repo, branch, path: `docs/${branch}.md`, message: `Write ${branch}`,
    content: Buffer.from(`${branch}\n`).toString("base64"),
  });
  await octokit.rest.pulls.create({ owner, repo, title: branch, head: branch, base: "main", body: "Done." });
}
const all = await octokit.paginate(octokit.rest.pulls.list, { owner, repo, state: "all", per_page: 2 });
assert.deepEqual(all.map((pull) => pull.head.ref), [...branches].reverse());
const one = await octokit.rest.pulls.list({ owner, repo, head: `${owner}:${branches[0]}` });
const { number } = one.data[0];

await assert.rejects(
  octokit.rest.pulls.create({ owner, repo, title: "again", head: branches[0], base: "main" }),
  (error) => error.status === 422 && /already exists for acme:octokit\/1/.test(error.message),
);
const pull = await octokit.rest.pulls.get({ owner, repo, pull_number: number });
assert.equal(pull.data.mergeable, true);
const diff = await octokit.rest.pulls.get({ owner, repo, pull_number: number, mediaType: { format: "diff" } });
assert.match(diff.data, /^diff --git/);
const files = await octokit.rest.pulls.listFiles({ owner, repo, pull_number: number });
assert.equal(files.data[0].status, "added");

const head_sha = pull.data.head.sha;
const run = await octokit.rest.checks.create({ owner, repo, name: "test", head_sha, status: "in_progress" });
await octokit.rest.checks.update({
  owner, repo, check_run_id: run.data.id, conclusion: "success", output: { title: "Passed", summary: "All of them." },
});
await octokit.rest.repos.createCommitStatus({ owner, repo, sha: head_sha, state: "success", context: "ci" });
const runs = await octokit.rest.checks.listForRef({ owner, repo, ref: branches[0] });
assert.deepEqual(runs.data.check_runs.map((one) => one.conclusion), ["success"]);
const status = await octokit.rest.repos.getCombinedStatusForRef({ owner, repo, ref: branches[0] });
assert.equal(status.data.state, "success");
await octokit.rest.issues.createComment({ owner, repo, issue_number: number, body: "Ready." });
const comments = await octokit.rest.issues.listComments({ owner, repo, issue_number: number });
assert.equal(comments.data[0].body, "Ready.");
const compared = await octokit.rest.repos.compareCommitsWithBasehead({ owner, repo, basehead: `main...${branches[0]}` });
assert.equal(compared.data.status, "ahead");

await assert.rejects(
  octokit.rest.git.updateRef({ owner, repo, ref: "heads/main", sha: head_sha }),
  (error) => error.status === 422,
);
const merged = await octokit.rest.pulls.merge({ owner, repo, pull_number: number, sha: head_sha, merge_method: "squash" });
assert.equal(merged.data.merged, true);
assert.equal((await octokit.rest.pulls.checkIfMerged({ owner, repo, pull_number: number })).status, 204);

const tag = (await octokit.rest.repos.get({ owner, repo })).headers.etag;
await assert.rejects(
  octokit.rest.repos.get({ owner, repo, headers: { "if-none-match": tag } }),
  (error) => error.status === 304,
);
assert.equal((await octokit.rest.apps.listReposAccessibleToInstallation()).data.total_count, 1);
await octokit.rest.apps.revokeInstallationAccessToken();
console.log("  octokit: all fine");
