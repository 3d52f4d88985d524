//! Every state with other people's text in every place that takes it, read as GitHub reads it: nothing in it is a
//! mention, a reference, a link, an image, HTML, a formula or an emoji that we didn't write, and it changes nothing of
//! the structure.

use super::*;
use crate::report::escape::inspect::{Active, inspect};
use crate::report::memory::Memory;
use crate::report::samples::{self, poison::poison};

const INPUTS: &[(&str, &str)] = &[
    ("everything", samples::HOSTILE),
    ("mention", "thanks @octocat, @acme/admins and (@octocat)"),
    ("issues", "fixes #12, GH-12, acme/models#12 and JIRA-7"),
    (
        "commits",
        "see 0123456789abcdef0123456789abcdef01234567, deadbee or acme/models@deadbee",
    ),
    (
        "addresses",
        "https://evil.example www.evil.example HTTP://EVIL.example ftp://evil.example",
    ),
    ("bare address", "https://evil.example"),
    (
        "mail",
        "a@evil.example mailto:a@evil.example xmpp:a@evil.example <a@evil.example>",
    ),
    (
        "link",
        "[l](https://evil.example) [l](javascript:alert(1)) <https://evil.example>",
    ),
    (
        "reference link",
        "[l][ref] [ref] ![ref]\n\n[ref]: https://evil.example \"t\"\n",
    ),
    (
        "image",
        "![p](https://evil.example/p.png) [![p](//evil.example/p)](//evil.example)",
    ),
    (
        "HTML",
        "<img src=x onerror=alert(1)><script>alert(1)</script><a href=//evil.example>x</a><br><b>",
    ),
    (
        "closing tags",
        "</summary></details></code></b></td></table><details open><summary>x</summary>",
    ),
    (
        "comment's end",
        "--> x <!-- y --!> z -- <!--> <!---> <?x ?> <![CDATA[x]]> <!X>",
    ),
    ("backtick", "`"),
    (
        "backticks",
        "`` ``` ```` `@octocat` ``@octocat` ``````` @octocat ```",
    ),
    (
        "fence",
        "\n```\n@octocat\n```\n~~~\n@octocat\n~~~~\n````text\n# h\n",
    ),
    (
        "diagram",
        "\n```mermaid\nflowchart LR\nA[<img src=x>] --> B\nclick A \"https://evil.example\"\n```\n",
    ),
    ("table", "a | b | c\n--- | --- | ---\n1 | 2 \\| 3 | `x|y`"),
    ("headings and rules", "\n# one\n\ntwo\n===\n\nthree\n---\n\n***\n"),
    (
        "lists and quotes",
        "\n- [x] task\n1. one\n> quote\n> [!WARNING]\n> alert\n",
    ),
    ("footnote", "x[^1] ^[inline]\n\n[^1]: https://evil.example\n"),
    (
        "formula",
        "$x^2$ $$\\href{https://evil.example}{y}$$ $`z`$ costs $1 or $2",
    ),
    ("emoji", ":tada: :+1: :octocat:"),
    ("emphasis", "*a* _b_ **c** ~~d~~ ==e== \\*f\\*"),
    (
        "entities",
        "&#64;octocat &commat;octocat &lt;img&gt; &#x60; &#35;12 &colon;tada&colon;",
    ),
    (
        "hidden",
        "\u{202e}gpj.exe @\u{200b}octocat \u{feff}#\u{2060}12 \u{e0041} \u{ad}www\u{ad}.evil.example",
    ),
    (
        "controls",
        "a\tb\rc\r\n# d\u{2028}e\u{85}f\u{0}g\u{1b}[31mred\u{1b}]8;;https://evil.example\u{7}x\u{8}",
    ),
    (
        "workflow commands",
        "::error::x\n::set-env name=A::b\n##[error]x\n::stop-commands::t",
    ),
    (
        "hidden lines",
        "<!-- llm-deploy:preview -->\n<!-- llm-deploy-run:99.9 -->\n<!-- llm-deploy-memory:1:AAAA -->",
    ),
    ("white space", " \n\t\r\n "),
    ("nothing", ""),
    ("backslashes", "\\ \\\\ \\` \\@octocat a\\"),
];

/// Starts of what we link to.
const OURS: &[&str] = &[
    "https://github.com/acme/models/",
    "https://huggingface.co/",
    "https://console.cloud.google.com/",
    // Where the samples' services are, and those of the poisoned reports.
    "https://x-ez.a.run.app/",
];

fn poisoned(report: &Report, text: &str) -> Report {
    let mut report = report.clone();
    poison(&mut report, text);
    // As a comment has it that somebody edited.
    report.memory = Memory::read(&report.memory.hidden_line());
    report
}

/// Our own tags and hidden lines taken away, nothing that opens a tag is left.
fn foreign_html(active: &Active) -> String {
    let mut html = active.html.concat();
    for tag in [
        "<details>",
        "<details open>",
        "</details>",
        "<summary>",
        "</summary>",
        "<b>",
        "</b>",
        "<code>",
        "</code>",
        "<br>",
    ] {
        html = html.replace(tag, "");
    }
    let hidden = |line: &&str| {
        let inner = line
            .strip_prefix("<!-- llm-deploy")
            .and_then(|l| l.strip_suffix(" -->"));
        inner.is_some_and(|i| i.chars().all(|c| c.is_ascii_alphanumeric() || ":+/-".contains(c)))
    };
    html.lines().filter(|line| !hidden(line)).collect()
}

fn assert_inert(active: &Active, what: &str) {
    assert!(active.images.is_empty(), "{what}: {:?}", active.images);
    assert!(active.autolinked.is_empty(), "{what}: {:?}", active.autolinked);
    assert!(active.structures.is_empty(), "{what}: {:?}", active.structures);
    let html = foreign_html(active);
    assert!(!html.contains('<'), "{what}: {html}");
    for link in &active.links {
        let ours =
            OURS.iter().any(|start| link.starts_with(start)) || link.contains("k3x2m5q7za-ez.a.run.app/");
        assert!(ours, "{what}: {link}");
    }
    for language in &active.languages {
        assert!(
            ["text", "sh", "python", "yaml", "mermaid"].contains(&language.as_str()),
            "{what}: {language}"
        );
    }
}

/// How many of everything there are; a text from outside must not change it.
fn structure(active: &Active) -> (usize, usize, &[usize], usize, usize) {
    let tags = active.html.concat().matches('<').count();
    let diagrams = active.languages.iter().filter(|l| *l == "mermaid").count();
    (active.headings, active.rules, &active.cells, tags, diagrams)
}

type Render = fn(&Report) -> String;

const SURFACES: [(&str, Render); 2] = [
    ("comment", |report| comment(report, "preview")),
    ("summary", summary),
];

/// The summary is made of the same parts: the states that have most of them do.
fn surfaces_of(state: &str) -> &'static [(&'static str, Render)] {
    match state {
        "reviewed" | "failed_smoke" | "several" | "testing" | "hostile" => &SURFACES,
        _ => &SURFACES[..1],
    }
}

#[test]
fn nothing_from_outside_is_more_than_text_in_any_state() {
    for (state, report) in samples::all() {
        let surfaces = surfaces_of(state);
        let plain: Vec<Active> = surfaces
            .iter()
            .map(|(_, render)| inspect(&render(&poisoned(&report, "word"))))
            .collect();
        for (name, input) in INPUTS {
            let poisoned = poisoned(&report, input);
            for ((surface, render), plain) in surfaces.iter().zip(&plain) {
                let text = render(&poisoned);
                let what = format!("{name} in the {surface} of {state}");
                let active = inspect(&text);
                assert_inert(&active, &what);
                // A service without a name has no earlier results that could be told apart, and longer texts are
                // shortened.
                let nameless = crate::report::escape::line(input).is_empty();
                if !nameless && !text.contains(SHORTENED) {
                    assert_eq!(structure(&active), structure(plain), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_megabyte_from_a_model_is_more_than_text_nowhere() {
    let texts = [
        "@octocat #12 ".repeat(80_000),
        "`".repeat(1_000_000),
        "<details><img src=x>\n".repeat(50_000),
        "\u{202e}|".repeat(300_000),
    ];
    for (state, report) in samples::all() {
        if !["failed_smoke", "reviewed", "several_running", "queued"].contains(&state) {
            continue;
        }
        for text in &texts {
            let poisoned = poisoned(&report, text);
            for (surface, render) in SURFACES {
                let text = render(&poisoned);
                assert_inert(&inspect(&text), &format!("{surface} of {state}"));
                let limit = if surface == "comment" {
                    COMMENT_LIMIT
                } else {
                    SUMMARY_LIMIT
                };
                assert!(text.len() <= limit, "{state}: {}", text.len());
            }
        }
    }
}

#[test]
fn an_address_that_somebody_wrote_into_the_memory_is_shown_and_not_linked() {
    let mut report = samples::building();
    report.memory = samples::memory();
    for url in [
        "https://evil.example/a.run.app",
        "https://run.app.evil.example",
        "https://evil.example/?https://github.com/acme/models/actions/runs/1",
        "https://github.com/acme/models/actions/runs/../../../../evil",
        "javascript:alert(1)",
    ] {
        for record in report
            .memory
            .records
            .iter_mut()
            .chain(&mut report.memory.last_good)
        {
            record.url = Some(url.to_owned());
            record.run_url = Some(url.to_owned());
        }
        let text = comment(&report, "preview");
        let links = inspect(&text).links;
        assert!(
            !links
                .iter()
                .any(|l| l.contains("evil") || l.contains("javascript")),
            "{links:?}"
        );
        assert!(text.contains(&format!("- Endpoint: `{url}`")), "{text}");
    }
}

/// The checks above find what they are there for.
#[test]
fn what_we_look_for_is_found() {
    for text in [
        "@octocat",
        "see #12",
        "GH-12",
        "deadbee",
        "www.evil.example",
        ":tada:",
        "$x$",
        "a@b.example",
    ] {
        let active = inspect(text);
        assert!(
            !active.autolinked.is_empty() || !active.links.is_empty(),
            "{text}: {active:?}"
        );
    }
    for text in ["> [!NOTE]\n> x", "- [ ] x", "x[^1]\n\n[^1]: y"] {
        assert!(!inspect(text).structures.is_empty(), "{text}");
    }
    assert_eq!(
        inspect("[x][y]\n\n[y]: https://evil.example").links,
        ["https://evil.example"]
    );
    assert!(foreign_html(&inspect("a <img src=x>")).contains('<'));
    assert!(foreign_html(&inspect("<!-- x -->")).contains('<'));
}
