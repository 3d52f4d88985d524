// The pages to look at, and pages that are spoilt on purpose.
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { join } from "node:path";

/** Every page of the snapshot tests and of the demo's folder: [name, html]. */
export function pages(root, demo) {
  const snapshots = join(root, "src/report/snapshots");
  const all = readdirSync(snapshots)
    .filter((file) => /__html_.*\.snap$/.test(file))
    .map((file) => [file.replace(/^.*__(html_)?|\.snap$/g, ""), content(join(snapshots, file))]);
  const bench = join(root, "src/report/bench/snapshots");
  for (const file of readdirSync(bench).filter((file) => file.includes("the_page_has"))) {
    all.push(["bench", content(join(bench, file))]);
  }
  const written = readdirSync(demo)
    .map((event) => [`demo_${event}`, join(demo, event, "report.html")])
    .filter(([, path]) => existsSync(path))
    .map(([name, path]) => [name, readFileSync(path, "utf8")]);
  if (all.length < 15 || written.length !== 4) {
    throw new Error(`expected the page of each state and four of the demo, found ${all.length} and ${written.length}`);
  }
  return [...all, ...written];
}

/** What a snapshot file holds below its head. */
function content(path) {
  const text = readFileSync(path, "utf8");
  const end = text.indexOf("\n---\n", 4);
  if (!text.startsWith("---\n") || end < 0) throw new Error(`${path} is no snapshot`);
  return text.slice(end + 5);
}

/** Faults that the check must find: [what, the complaint's beginning, how a good page is spoilt]. */
export const FAULTS = [
  ["a script", "console", (page) => inBody(page, "<script>document.title = 'x'</script>")],
  ["an event handler", "console", (page) => inBody(page, '<p onclick="alert(1)">x</p>')],
  ["an image from elsewhere", "console", (page) => inBody(page, '<img alt="" src="https://example.invalid/x.png">')],
  [
    "an image from elsewhere that the policy lets through",
    "request",
    (page) => inBody(withoutPolicy(page), '<img alt="" src="https://example.invalid/x.png">'),
  ],
  [
    "a style sheet that the policy lets through",
    "request",
    (page) => inBody(withoutPolicy(page), '<style>@import "https://example.invalid/x.css";</style>'),
  ],
  ["a throwing script", "error", (page) => inBody(withoutPolicy(page), "<script>throw new Error('x')</script>")],
  ["no policy", "policy", withoutPolicy],
  ["a wide element", "wide", (page) => inBody(page, '<div style="width: 2000px">x</div>')],
  ["a long word", "wide", (page) => inBody(page, `<div>${"x".repeat(300)}</div>`)],
  [
    "text cut off",
    "clipped",
    (page) => inBody(page, '<p style="width: 40px; overflow: hidden; white-space: nowrap">much more than fits</p>'),
  ],
  ["text upon text", "overlap", (page) => inBody(page, '<p>one line</p><p style="margin-top: -2rem">another</p>')],
  ["pale text", "axe color-contrast", (page) => inBody(page, '<p style="color: #cccccc; background: #ffffff">x</p>')],
  ["text that is dark in dark mode", "axe color-contrast", (page) => inBody(page, '<p style="color: #24292f">x</p>')],
  [
    "words in a chart that are dark in dark mode",
    "charts",
    (page) => page.replace('fill="currentColor"', 'fill="#24292f"'),
  ],
  ["no language", "axe html-has-lang", (page) => page.replace('<html lang="en">', "<html>")],
  ["no title", "axe document-title", (page) => page.replace(/<title>[^<]*<\/title>/, "")],
  [
    "a fold that the keyboard can't reach",
    "keyboard",
    (page) => inBody(page, '<details><summary tabindex="-1">x</summary>y</details>'),
  ],
  [
    "a fold that stays shut on paper",
    "print",
    (page) =>
      inBody(
        page,
        "<style>@media print { details::details-content { content-visibility: hidden !important } }</style>" +
          "<details><summary>x</summary><p>y</p></details>",
      ),
  ],
];

function inBody(page, html) {
  return page.replace("</main>", `${html}</main>`);
}

function withoutPolicy(page) {
  return page.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "");
}
