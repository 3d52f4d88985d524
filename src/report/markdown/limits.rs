//! How much of everything a text shows, from all to the least. docs/comment.md tells the order.

/// One step of shortening.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Whether this step leaves out what a reader may miss.
    pub shortened: bool,
    /// Characters of a sentence.
    pub prose: usize,
    /// Lines of a log, the last ones.
    pub log_lines: usize,
    /// Characters of a log line.
    pub log_width: usize,
    /// Characters of what a check sent and received.
    pub excerpt: usize,
    /// Entries of a list: checks, changes, stages, links, notices.
    pub items: usize,
    /// Models with a row in the table.
    pub rows: usize,
    /// Models with details.
    pub details: usize,
    /// Whether to say how the endpoint is called.
    pub snippets: bool,
    /// Commits in the history's table.
    pub history: usize,
    /// Whether checks that passed are listed, and not only counted.
    pub passed_checks: bool,
}

const FULL: Limits = Limits {
    shortened: false,
    prose: 1_000,
    log_lines: 40,
    log_width: 400,
    excerpt: 2_000,
    items: 60,
    rows: 60,
    details: 60,
    snippets: true,
    history: 10,
    passed_checks: true,
};

/// Charts and the server's own figures go with it.
const NO_HISTORY: Limits = Limits {
    shortened: true,
    history: 0,
    ..FULL
};

const SHORT_EXCERPTS: Limits = Limits {
    prose: 500,
    log_lines: 20,
    log_width: 200,
    excerpt: 400,
    items: 30,
    passed_checks: false,
    ..NO_HISTORY
};

const FEW_DETAILS: Limits = Limits {
    prose: 300,
    log_lines: 10,
    items: 10,
    details: 8,
    snippets: false,
    excerpt: 200,
    ..SHORT_EXCERPTS
};

/// A code span's text is at most 4 bytes a character, and escaping at most doubles it.
const LEAST: Limits = Limits {
    prose: 120,
    excerpt: 120,
    log_width: 120,
    log_lines: 4,
    items: 2,
    rows: 8,
    details: 1,
    ..FEW_DETAILS
};

pub const COMMENT: &[Limits] = &[FULL, NO_HISTORY, SHORT_EXCERPTS, FEW_DETAILS, LEAST];

pub const SUMMARY: &[Limits] = &[
    Limits {
        log_lines: 200,
        log_width: 1_000,
        excerpt: 8_000,
        items: 500,
        rows: 200,
        details: 200,
        ..FULL
    },
    FULL,
    SHORT_EXCERPTS,
    LEAST,
];
