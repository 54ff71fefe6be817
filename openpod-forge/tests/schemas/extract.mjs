// Makes github.json: the few schemas of GitHub's published description that the tests need.
//
//     npm install --no-save @octokit/openapi@23.0.2 && node extract.mjs
//
// OpenAPI 3.0 is turned into JSON Schema: `nullable` becomes the type null, also where an enum forgets it.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const packagePath = createRequire(join(process.cwd(), "x.js")).resolve("@octokit/openapi/package.json");
const version = JSON.parse(readFileSync(packagePath)).version;
const file = join(dirname(packagePath), "generated", "api.github.com.json");
const components = JSON.parse(readFileSync(file)).components.schemas;

const wanted = [
  "root", "api-overview", "rate-limit-overview", "private-user", "integration", "installation", "installation-token",
  "full-repository", "repository", "short-branch", "branch-with-protection", "git-ref", "content-file",
  "content-directory", "file-commit", "commit", "diff-entry", "commit-comparison", "check-run", "status",
  "combined-commit-status", "issue-comment", "pull-request", "pull-request-simple", "pull-request-merge-result",
  "basic-error", "validation-error", "validation-error-simple",
];

const words = new Set(["description", "example", "examples", "title", "deprecated", "externalDocs", "readOnly", "default"]);
const found = {};

function schema(node) {
  if (node.$ref) {
    const name = node.$ref.split("/").pop();
    if (!(name in found)) {
      found[name] = null;
      found[name] = schema(components[name]);
    }
    return { $ref: `#/$defs/${name}` };
  }
  const out = {};
  for (const [key, value] of Object.entries(node)) {
    if (words.has(key) || key === "nullable" || key.startsWith("x-")) continue;
    if (key === "properties") out[key] = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, schema(v)]));
    else if (["allOf", "anyOf", "oneOf"].includes(key)) out[key] = value.map(schema);
    else if (["items", "not"].includes(key)) out[key] = schema(value);
    else if (key === "additionalProperties" && typeof value === "object") out[key] = schema(value);
    else if (key === "format" && !["date-time", "uri", "uri-template", "email"].includes(value)) continue;
    else out[key] = value;
  }
  if (!node.nullable) return out;
  if (!out.type) return { anyOf: [out, { type: "null" }] };
  out.type = [out.type, "null"];
  if (out.enum && !out.enum.includes(null)) out.enum = [...out.enum, null];
  return out;
}

for (const name of wanted) schema({ $ref: `/${name}` });
const sorted = Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
const lines = Object.entries(sorted).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
const comment = JSON.stringify(`@octokit/openapi ${version} (MIT), api.github.com, by extract.mjs`);
writeFileSync(join(here, "github.json"), `{"$comment":${comment},"$defs":{\n${lines.join(",\n")}\n}}\n`);
