use super::super::samples::HOSTILE;
use super::inspect::{Active, inspect};
use super::*;

const ATTACKS: &[&str] = &[
    "@octocat",
    "hello @org/team!",
    "(@octocat)",
    "#1",
    "x #1.",
    "GH-12",
    "gh-12",
    "org/repo#1",
    "org/repo@0123456",
    "https://github.com/o/r/issues/1",
    "HTTPS://EVIL.example",
    "ftp://evil.example",
    "www.evil.example",
    "WWW.evil.example",
    "a@evil.example",
    "mailto:a@evil.example",
    "xmpp:a@evil.example",
    "<https://evil.example>",
    "<a@evil.example>",
    "0123456789abcdef0123456789abcdef01234567",
    "deadbee",
    "CVE-2024-1234",
    "GHSA-aaaa-bbbb-cccc",
    "JIRA-7",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "</details>",
    "<!--",
    "-->",
    "<?php",
    "<![CDATA[x]]>",
    "![p](https://evil.example/p.png)",
    "[l](javascript:alert(1))",
    "[l][ref]\n\n[ref]: https://evil.example",
    "[^1]\n\n[^1]: x",
    "a | b",
    "a \\| b",
    "a \\\\| b",
    "`a | b`",
    "`a \\| b`",
    "|---|---|",
    "# heading",
    "heading\n===",
    "heading\n---",
    "***",
    "- [ ] task",
    "1. list",
    "> quote",
    "> [!WARNING]\n> x",
    "    indented",
    "```",
    "````",
    "``````",
    "~~~",
    "```\n@octocat\n```",
    "`",
    "``",
    "`@octocat",
    "@octocat`",
    "``@octocat`",
    "a`b`c`@d`",
    "\\`@octocat\\`",
    "`` ` `` @octocat",
    "$x$",
    "$$x$$",
    "$`x`$",
    ":tada:",
    "::error::x",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]8;;https://evil.example\u{7}x",
    "\u{202e}gpj.exe",
    "@\u{200b}octocat",
    "a\rb",
    "a\r\n# b",
    "a\u{2028}# b",
    "\u{0}",
    "&#64;octocat",
    "&commat;octocat",
    "&lt;img&gt;",
    "&#x60;",
    "*bold*",
    "_em_",
    "~~x~~",
    "",
    " ",
    "\\",
    "a\\",
    "@\\",
    "¦",
    "@a@b",
    "`a``b`",
    "x@y`b`",
];

/// Puts `text` where the report puts outside text: in a paragraph, a list, a quote, a heading, a table.
fn surrounded(text: &str) -> String {
    format!(
        "Before {text} after\n\n- {text}\n  - x: {text}\n\n> {text}\n\n### {text}\n\n| a | b | c |\n| - | - | - |\n| 1 | {text} | 3 |\n| {text} | 2 | {text} |\n\nEnd\n"
    )
}

fn assert_inert(active: &Active, what: &str) {
    assert!(active.links.is_empty(), "link from {what:?}: {active:?}");
    assert!(active.images.is_empty(), "image from {what:?}: {active:?}");
    assert!(active.html.is_empty(), "HTML from {what:?}: {active:?}");
    assert!(
        active.structures.is_empty(),
        "structure from {what:?}: {active:?}"
    );
    assert!(
        active.autolinked.is_empty(),
        "linked by GitHub from {what:?}: {active:?}"
    );
}

fn assert_structure(text: &str, what: &str) {
    let active = inspect(&surrounded(text));
    assert_inert(&active, what);
    assert_eq!((active.headings, active.rules), (1, 0), "{what:?}: {text}");
    assert_eq!(active.cells, [3, 3, 3], "{what:?}: {text}");
    assert!(active.shown.ends_with("End"), "{what:?}: {active:?}");
}

/// The characters that matter, without what the code spans add or change.
fn essence(text: &str) -> String {
    text.replace('¦', "|")
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '`')
        .collect()
}

fn assert_safe(attack: &str) {
    assert_structure(&prose(attack), attack);
    assert_structure(&cell_code(attack), attack);
    let span = inspect(&format!("- x {} y\n", code(attack)));
    assert_inert(&span, attack);
    if !line(attack).is_empty() {
        assert_eq!(span.code, [line(attack)]);
    }
    let shown = inspect(&prose(attack));
    assert_eq!(
        essence(&shown.shown),
        essence(&line(attack)),
        "prose of {attack:?} is {:?}",
        prose(attack)
    );
    let fenced = inspect(&format!("{}\nEnd\n", fence("text", attack)));
    assert_inert(&fenced, attack);
    assert_eq!(fenced.headings, 0);
    assert!(fenced.shown.ends_with("End"), "{fenced:?}");
    let folded = inspect(&format!(
        "<details>\n<summary><code>{}</code></summary>\n\nx\n\n</details>\n",
        html(attack)
    ));
    let tags: String = folded.html.concat();
    assert_eq!(tags.matches('<').count(), 6, "{tags}");
}

#[test]
fn outside_text_stays_text_everywhere() {
    for attack in ATTACKS.iter().chain([&HOSTILE]) {
        assert_safe(attack);
        assert_safe(&format!("x {attack} y"));
        assert_safe(&format!("x{attack}y"));
        assert_safe(&format!("line\n{attack}\nline"));
    }
}

#[test]
fn outside_text_stays_text_whatever_it_is_made_of() {
    const PIECES: &[&str] = &[
        "`",
        "``",
        "```",
        "~~~",
        "|",
        "\\",
        "\n",
        "\r",
        "@a",
        "@",
        "#",
        "1",
        "<b>",
        "<",
        ">",
        "-->",
        "<!--",
        "](",
        "[",
        "!",
        "https://e.x",
        "://",
        "www.",
        "*",
        "_",
        " ",
        "&#64;",
        "&lt;",
        "&commat;",
        "a",
        "\u{202e}",
        "\u{200b}",
        "$",
        ":tada:",
        "[x]",
        "- ",
        "1. ",
        "> ",
        "    ",
        "\t",
        "GH-1",
        "0123456",
        ".",
        "e@x.io",
        "é",
        "🌈",
        "\u{1b}[1m",
        "\u{1b}",
        "=",
        "===",
        "---",
        "-",
        "(",
        ")",
        "\"",
        "'",
        "~",
        "^",
        ":",
        "{",
        "}",
        "+",
        "\u{85}",
        "\u{a0}",
    ];
    for seed in 0..1_500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.usize(1..14);
        let attack: String = (0..count).map(|_| PIECES[random.usize(..PIECES.len())]).collect();
        assert_safe(&attack);
    }
}

#[test]
fn backticks_of_any_length_end_nothing() {
    for length in (1..300).chain([1_000, 100_000]) {
        let run = "`".repeat(length);
        for text in [
            run.clone(),
            format!("{run} @octocat {run}"),
            format!("x\n{run}\n@octocat\n# h"),
        ] {
            for shown in [
                format!("- {} y\n", code(&text)),
                format!("{} y\n", prose(&text)),
                format!("{}\ny\n", fence("text", &text)),
            ] {
                let active = inspect(&shown);
                assert_inert(&active, &format!("{length} backticks"));
                assert_eq!(active.headings, 0);
                assert!(active.shown.trim_end().ends_with('y'), "{length}");
            }
        }
    }
}

#[test]
fn code_in_our_own_messages_stays_code() {
    assert_eq!(
        prose("run `gcloud auth login` now"),
        "run `gcloud auth login` now"
    );
    assert_eq!(
        prose("see https://example.com/a_b, then"),
        "see `https://example.com/a_b,` then"
    );
    assert_eq!(prose("100 % of 4-bit"), "100 % of 4-bit");
}

#[test]
fn only_https_and_loopback_are_linked() {
    for good in [
        "https://a.run.app/x?y=1",
        "http://127.0.0.1:8080",
        "http://localhost:1/",
        "http://[::1]:9/",
    ] {
        assert_eq!(inspect(&url_link(good)).links.len(), 1, "{good}");
    }
    for bad in [
        "http://example.com",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://user:pw@evil.example/",
        "https://",
        "",
        "file:///etc/passwd",
        "https://a.example@evil.example/",
    ] {
        let active = inspect(&format!("x {} y", url_link(bad)));
        assert_inert(&active, bad);
    }
}

#[test]
fn a_link_keeps_to_its_url() {
    for url in [
        "https://a.example/)<img src=x>",
        "https://a.example/) @octocat",
        "https://a.example/|x|`y`",
        "https://a.example/\"onclick=\"x",
        "https://a.example/\\)",
        "https://a.example/](https://evil.example)",
        "https://a.example/?a=1&copy;=2&#41;",
    ] {
        let active = inspect(&format!("| a | b |\n| - | - |\n| {} | c |\n", link("label", url)));
        assert_eq!(active.links.len(), 1, "{url}: {active:?}");
        assert!(active.links[0].starts_with("https://a.example/"), "{active:?}");
        assert!(
            active.html.is_empty() && active.autolinked.is_empty(),
            "{active:?}"
        );
        assert_eq!(active.cells, [2, 2]);
    }
    assert_eq!(
        inspect(&link("x", "https://a.example/?a=1&copy;=2")).links,
        ["https://a.example/?a=1&copy;=2"]
    );
}

#[test]
fn clipping_counts_characters() {
    assert_eq!(clip("äöü", 3), "äöü");
    assert_eq!(clip("äöüß", 3), "äö…");
    assert_eq!(clip("x", 0), "…");
}
