//! Pages of a list.

use serde_json::{Map, Value};

use super::{Call, Reply};

/// Most entries of a page; also what a request without `pageSize` gets.
const MOST: usize = 1000;

/// A page of `items` under `key`, as `pageSize` and `pageToken` ask; 400 for a token that isn't ours.
pub fn reply(call: &Call, key: &str, items: &[Value]) -> Reply {
    let size = call.query("pageSize").and_then(|n| n.parse().ok());
    match page(items, size.unwrap_or(0), call.query("pageToken").unwrap_or("")) {
        Ok((page, next)) => {
            let mut out = Map::new();
            if !page.is_empty() {
                out.insert(key.to_owned(), page.into());
            }
            if let Some(next) = next {
                out.insert("nextPageToken".to_owned(), next.into());
            }
            Reply::ok(&out.into())
        }
        Err(refused) => *refused,
    }
}

/// The page that starts at `token`, and the next page's token; a size of 0 means the most there may be.
pub fn page(items: &[Value], size: usize, token: &str) -> Result<(Vec<Value>, Option<String>), Box<Reply>> {
    let start = match token {
        "" => 0,
        token => token
            .strip_prefix("page-")
            .and_then(|n| n.parse().ok())
            .ok_or_else(|| Box::new(Reply::invalid("The page token is invalid.")))?,
    };
    let size = if size == 0 { MOST } else { size.min(MOST) };
    let page: Vec<Value> = items.iter().skip(start).take(size).cloned().collect();
    let end = start + page.len();
    let next = (end < items.len()).then(|| format!("page-{end}"));
    Ok((page, next))
}
