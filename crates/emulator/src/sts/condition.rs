//! The part of CEL that providers for GitHub are written in: `assertion.NAME`, strings, `+`, `==`, `!=`, `&&`, `||`.

use std::collections::BTreeMap;

type Claims = BTreeMap<String, String>;

/// Whether a condition admits a token; an empty one admits all, one that isn't understood none, as an expression
/// that can't be evaluated.
pub fn holds(condition: &str, claims: &Claims) -> bool {
    if condition.trim().is_empty() {
        return true;
    }
    let any = condition.split("||");
    any.map(str::trim)
        .any(|all| all.split("&&").all(|part| compares(part, claims)))
}

fn compares(part: &str, claims: &Claims) -> bool {
    let (left, right, wanted) = match (part.split_once("=="), part.split_once("!=")) {
        (Some((left, right)), None) => (left, right, true),
        (None, Some((left, right))) => (left, right, false),
        _ => return false,
    };
    match (value(left, claims), value(right, claims)) {
        (Some(left), Some(right)) => (left == right) == wanted,
        _ => false,
    }
}

/// A claim, a string or several of them joined; `None` for another expression, and for a claim that the token lacks.
pub fn value(expression: &str, claims: &Claims) -> Option<String> {
    expression.split('+').map(|part| term(part, claims)).collect()
}

fn term(expression: &str, claims: &Claims) -> Option<String> {
    let expression = expression.trim();
    if let Some(name) = expression.strip_prefix("assertion.") {
        return claims.get(name).cloned();
    }
    let quoted = ['\'', '"'].into_iter().find_map(|quote| {
        let inside = expression.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inside.contains(quote)).then_some(inside)
    });
    quoted.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_admits_what_it_names() {
        let claims = [
            ("repository_id", "74"),
            ("repository_owner_id", "65"),
            ("ref", "refs/heads/main"),
        ];
        let claims = claims.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        for (condition, expected) in [
            ("", true),
            ("assertion.repository_id == '74'", true),
            ("assertion.repository_id=='75'", false),
            (
                "assertion.repository_id == \"74\" && assertion.repository_owner_id == '65'",
                true,
            ),
            (
                "assertion.repository_id == '74' && assertion.repository_owner_id == '66'",
                false,
            ),
            (
                "assertion.repository_id == '75' || assertion.ref == 'refs/heads/main'",
                true,
            ),
            ("assertion.ref != 'refs/heads/main'", false),
            ("assertion.actor == 'octocat'", false),
            (
                "assertion.repository_id + ':' + assertion.ref == '74:refs/heads/main'",
                true,
            ),
            ("assertion.repository_id + assertion.actor == '74'", false),
            ("assertion.repository_id.startsWith('7')", false),
            ("true", false),
        ] {
            assert_eq!(holds(condition, &claims), expected, "{condition}");
        }
    }
}
