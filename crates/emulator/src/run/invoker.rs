//! Who may call a private service: ID tokens, and the front end's refusals.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::front::Access;
use crate::tokens::IdClaims;

/// Google's front end refuses a request before any container sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No token, or one whose owner may not invoke.
    Forbidden,
    /// A token that can't be verified or is for somebody else.
    Unauthorized,
}

/// The token of a request: `X-Serverless-Authorization` goes before `Authorization`.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers
        .get("x-serverless-authorization")
        .or_else(|| headers.get(header::AUTHORIZATION))?;
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Checks a caller. `claims` verifies a token; `may` says whether the account of an e-mail may invoke.
///
/// # Errors
/// As the front end refuses it.
pub fn check(
    access: &Access,
    headers: &HeaderMap,
    may: &dyn Fn(&str) -> bool,
    claims: &dyn Fn(&str) -> Option<IdClaims>,
) -> Result<(), Refused> {
    if access.public {
        return Ok(());
    }
    let token = token(headers).ok_or(Refused::Forbidden)?;
    let claims = claims(token).ok_or(Refused::Unauthorized)?;
    if !access.audiences.contains(&claims.audience) {
        // A path in the audience is known to be refused with 403.
        let with_path = |a: &String| {
            claims
                .audience
                .strip_prefix(a)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let path = access.audiences.iter().any(with_path);
        return Err(if path {
            Refused::Forbidden
        } else {
            Refused::Unauthorized
        });
    }
    if may(&claims.email) {
        return Ok(());
    }
    Err(Refused::Forbidden)
}

impl Refused {
    pub fn response(self, path: &str) -> Response {
        match self {
            Self::Forbidden => page(
                StatusCode::FORBIDDEN,
                "Forbidden",
                &format!(
                    "Your client does not have permission to get URL <code>{}</code> from this server.",
                    escape(path)
                ),
            ),
            Self::Unauthorized => {
                let text = "Your client does not have permission to the requested URL";
                let text = format!("{text} <code>{}</code>.", escape(path));
                let mut response = page(StatusCode::UNAUTHORIZED, "Unauthorized", &text);
                let challenge = "Bearer error=\"invalid_token\" error_description=\"The access token could not be verified\"";
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                response
            }
        }
    }
}

/// An error page as Google's front end sends it.
pub fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let body = format!(
        "\n<html><head>\n<meta http-equiv=\"content-type\" content=\"text/html;charset=utf-8\">\n<title>{} {title}\
         </title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: {title}</h1>\n<h2>{text}</h2>\n<h2></h2>\n\
         </body></html>\n",
        status.as_u16()
    );
    (status, [(header::CONTENT_TYPE, "text/html; charset=UTF-8")], body).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:4000";

    fn claims(token: &str) -> Option<IdClaims> {
        let (audience, email) = token.split_once('|')?;
        Some(IdClaims {
            audience: audience.to_owned(),
            email: email.to_owned(),
        })
    }

    fn ask(access: &Access, name: &'static str, value: Option<&str>) -> Result<(), Refused> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(name, value.parse().unwrap());
        }
        check(access, &headers, &|email| email == "friend@p", &claims)
    }

    #[test]
    fn a_private_service_wants_an_id_token_for_its_own_url() {
        let access = Access {
            audiences: vec![URL.to_owned(), "custom".to_owned()],
            ..Access::default()
        };
        let cases = [
            (None, Err(Refused::Forbidden)),
            (Some("Basic abc".to_owned()), Err(Refused::Forbidden)),
            (Some("Bearer rubbish".to_owned()), Err(Refused::Unauthorized)),
            (
                Some("Bearer http://127.0.0.1:4001|friend@p".to_owned()),
                Err(Refused::Unauthorized),
            ),
            (Some(format!("Bearer {URL}/v1|friend@p")), Err(Refused::Forbidden)),
            (Some(format!("Bearer {URL}|stranger@p")), Err(Refused::Forbidden)),
            (Some(format!("Bearer {URL}|friend@p")), Ok(())),
            (Some(format!("bearer {URL}|friend@p")), Ok(())),
            (Some("Bearer custom|friend@p".to_owned()), Ok(())),
        ];
        for (value, expected) in cases {
            assert_eq!(
                ask(&access, "authorization", value.as_deref()),
                expected,
                "{value:?}"
            );
            assert_eq!(
                ask(&access, "x-serverless-authorization", value.as_deref()),
                expected,
                "{value:?}"
            );
        }
    }

    #[test]
    fn anyone_may_call_a_public_service() {
        let access = Access {
            public: true,
            ..Access::default()
        };
        assert_eq!(ask(&access, "authorization", None), Ok(()));
        assert_eq!(ask(&access, "authorization", Some("Bearer sk-abc")), Ok(()));
    }

    #[test]
    fn a_path_in_the_page_is_escaped() {
        assert_eq!(escape("/<script>\"&"), "/&lt;script&gt;&quot;&amp;");
    }
}
