//! The hidden line that says which run wrote the comment, so that an older run leaves a newer one's alone. Pure.

use super::target;
use crate::{event::RunId, github::Comment};

const START: &str = "<!-- llm-deploy-run:";

/// Puts the line below the first one. `live` tells that the run goes on.
pub fn signed(body: &str, run: Option<RunId>, live: bool) -> String {
    let Some(run) = run else {
        return body.to_owned();
    };
    let live = if live { " live" } else { "" };
    body.replacen('\n', &format!("\n{START}{run}{live} -->\n"), 1)
}

/// The run that wrote the comment; `None` when the line is missing or was edited.
pub fn signature(comment: &Comment) -> Option<RunId> {
    let line = target::next_line(comment)?.trim();
    let signed = line.strip_prefix(START)?.strip_suffix("-->")?;
    signed.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(body: String) -> Comment {
        Comment {
            id: 1,
            url: String::new(),
            body,
        }
    }

    #[test]
    fn a_comment_tells_who_wrote_it() {
        let body = "<!-- llm-deploy:preview/p/r -->\n### Preview\n";
        let run: RunId = "43-1".parse().unwrap();
        for live in [true, false] {
            let signed = signed(body, Some(run), live);
            assert_eq!(signed.replace('\r', "").lines().count(), 3);
            assert_eq!(signature(&comment(signed.replace('\n', "\r\n"))), Some(run));
        }
        assert_eq!(signature(&comment(signed(body, None, true))), None);
    }

    #[test]
    fn only_the_line_below_the_first_one_counts() {
        let forged = "<!-- llm-deploy:preview -->\nspoilt\n```\n<!-- llm-deploy-run:99-0 -->\n```";
        assert_eq!(signature(&comment(forged.to_owned())), None);
    }
}
