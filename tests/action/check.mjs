// Runs GitHub's own language service over action.yml and workflows, and holds each `with:` of this action
// against action.yml. usage: node check.bundle.mjs ROOT FILE…   (bundled by run.sh; exits 1 when anything is reported)
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parse } from "yaml";

const [root, ...files] = process.argv.slice(2);
const action = parse(readFileSync(join(root, "action.yml"), "utf8"));
const ours = /^org\/llm-deploy-action@/;
// `$default-branch` is replaced by GitHub when somebody takes a starter workflow.
const text = (file) => readFileSync(join(root, file), "utf8").replaceAll("$default-branch", "main");

function unknownInputs(workflow) {
  const steps = Object.values(workflow?.jobs ?? {}).flatMap((job) => job.steps ?? []);
  return steps
    .filter((step) => ours.test(step.uses ?? ""))
    .flatMap((step) => Object.keys(step.with ?? {}))
    .filter((name) => !(name in action.inputs))
    .map((name) => `input ${name} is not declared in action.yml`);
}

let problems = 0;
for (const file of files) {
  const document = TextDocument.create(`file:///${file}`, "yaml", 1, text(file));
  const found = await validate(document); // by the name: action.yml is an action, the rest are workflows
  const messages = found.map((d) => `${d.range.start.line + 1}:${d.range.start.character + 1} ${d.message}`);
  if (file !== "action.yml") messages.push(...unknownInputs(parse(text(file))));
  for (const message of messages) console.log(`${file}:${message}`);
  problems += messages.length;
}
console.log(`${files.length} files, ${problems} problems`);
process.exit(problems === 0 && files.length > 0 ? 0 : 1);
