//! Pages of a list and the Link header to the others.

use serde_json::Value;

use super::{Context, refusal::Refusal};

/// Items of a page unless `per_page` says otherwise, and at most.
const DEFAULT: usize = 30;
const MOST: usize = 100;

pub struct Page {
    pub items: Vec<Value>,
    pub link: Option<String>,
}

/// The page that the query asks for.
pub fn cut(context: &Context<'_>, items: Vec<Value>) -> Result<Page, Refusal> {
    let number = |name: &str, default: usize| {
        context
            .call
            .query(name)
            .and_then(|n| n.parse().ok())
            .unwrap_or(default)
    };
    let size = match number("per_page", DEFAULT) {
        0 => DEFAULT,
        size => size.min(MOST),
    };
    let page = number("page", 1).max(1);
    let last = items.len().div_ceil(size).max(1);
    let url = |page: usize| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in context.call.query.iter().filter(|(name, _)| name != "page") {
            query.append_pair(name, value);
        }
        query.append_pair("page", &page.to_string());
        format!(
            "{}/{}?{}",
            context.api,
            context.call.path.trim_matches('/'),
            query.finish()
        )
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(format!("<{}>; rel=\"prev\"", url(page - 1)));
    }
    if page < last {
        links.push(format!("<{}>; rel=\"next\"", url(page + 1)));
        links.push(format!("<{}>; rel=\"last\"", url(last)));
    }
    if page > 1 {
        links.push(format!("<{}>; rel=\"first\"", url(1)));
    }
    Ok(Page {
        items: items
            .into_iter()
            .skip((page - 1).saturating_mul(size))
            .take(size)
            .collect(),
        link: (!links.is_empty()).then(|| links.join(", ")),
    })
}
