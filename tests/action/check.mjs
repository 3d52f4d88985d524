// Runs GitHub's own language service over action.yml and workflows, and holds each `with:` of this action
// against action.yml; likewise the README's workflows and tables. usage: node check.bundle.mjs ROOT FILE…   (bundled by run.sh; exits 1 when anything is reported)
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

async function check(name, yaml) {
  const document = TextDocument.create(`file:///${name}`, "yaml", 1, yaml);
  const found = await validate(document); // by the name: action.yml is an action, the rest are workflows
  const messages = found.map((d) => `${d.range.start.line + 1}:${d.range.start.character + 1} ${d.message}`);
  return name === "action.yml" ? messages : [...messages, ...unknownInputs(parse(yaml))];
}

// The README's workflows parse, and its tables have every input and output, and no other.
async function checkReadme(readme) {
  const workflows = [...readme.matchAll(/```yaml\n(# \.github\/workflows\/[\s\S]*?)```/g)].map((match) => match[1]);
  const messages = (await Promise.all(workflows.map((yaml) => check("README.yml", yaml)))).flat();
  if (workflows.length === 0) messages.push("no yaml block starts with `# .github/workflows/`");
  for (const kind of ["inputs", "outputs"]) {
    const section = readme.split(/^## /m).find((part) => part.toLowerCase().startsWith(`${kind}\n`)) ?? "";
    const rows = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]);
    const names = Object.keys(action[kind]);
    messages.push(...names.filter((name) => !rows.includes(name)).map((name) => `${kind}: no row for ${name}`));
    messages.push(...rows.filter((name) => !names.includes(name)).map((name) => `${kind}: ${name} is not in action.yml`));
  }
  return messages;
}

const results = await Promise.all(files.map(async (file) => [file, await check(file, text(file))]));
results.push(["README.md", await checkReadme(readFileSync(join(root, "README.md"), "utf8"))]);
const lines = results.flatMap(([file, messages]) => messages.map((message) => `${file}:${message}`));
for (const line of lines) console.log(line);
console.log(`${results.length} files, ${lines.length} problems`);
process.exit(lines.length === 0 && files.length > 0 ? 0 : 1);
