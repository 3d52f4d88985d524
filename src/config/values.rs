//! One reader per kind of value. Each says what was expected, and what to do when the slip is a known one.

use std::time::Duration;

use super::{
    SecretRef,
    mistake::quoted,
    names::{MAX_NAME, is_service_name},
};
use crate::units::{Memory, parse_duration};

/// Why a value is refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    pub message: String,
    pub help: Option<String>,
    /// The value may be a secret and isn't shown.
    pub secret: bool,
}

impl From<String> for Wrong {
    fn from(message: String) -> Self {
        Self {
            message,
            ..Self::default()
        }
    }
}

impl From<&str> for Wrong {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl Wrong {
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

type Read<T> = Result<T, Wrong>;

fn expected(what: &str, got: &str) -> Wrong {
    format!("expected {what}, got {}", quoted(got)).into()
}

pub fn project(text: &str) -> Read<String> {
    let id = text.rsplit(':').next().unwrap_or(text);
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = (6..=30).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(inner)
        && !id.ends_with('-')
        && text.len() <= 100
        && text.chars().all(|c| inner(c) || c == '.' || c == ':')
        && text.matches(':').count() <= 1;
    if good {
        return Ok(text.to_owned());
    }
    let wrong = expected(
        "a Google Cloud project id (6 to 30 lowercase letters, digits and `-`)",
        text,
    );
    let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    Err(if number {
        wrong.help("that is a project number; `gcloud projects list` shows the id")
    } else {
        wrong
    })
}

pub fn region(text: &str) -> Read<String> {
    if is_region(text) {
        return Ok(text.to_owned());
    }
    let wrong = expected("a region such as `europe-west4`", text);
    match text.rsplit_once('-') {
        Some((region, zone)) if zone.len() == 1 && is_region(region) => {
            Err(wrong.help(format!("that is a zone; its region is `{region}`")))
        }
        _ => Err(wrong),
    }
}

fn is_region(text: &str) -> bool {
    let Some((area, place)) = text.split_once('-') else {
        return false;
    };
    let letters = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    let name = place.trim_end_matches(|c: char| c.is_ascii_digit());
    text.len() <= 40 && letters(area) && name.len() < place.len() && name.split('-').all(letters)
}

/// A build location: a region or `global`.
pub fn location(text: &str) -> Read<String> {
    if text == "global" {
        Ok(text.to_owned())
    } else {
        region(text)
    }
}

pub fn model_id(text: &str) -> Read<String> {
    let part = |part: &str| {
        (1..=96).contains(&part.len())
            && part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            && !part.contains("..")
    };
    if text.split('/').all(part) && text.matches('/').count() <= 1 {
        return Ok(text.to_owned());
    }
    let wrong = expected("a model's id at Hugging Face such as `Qwen/Qwen3.5-4B`", text);
    for prefix in [
        "https://huggingface.co/",
        "http://huggingface.co/",
        "huggingface.co/",
        "hf.co/",
        "https://hf.co/",
    ] {
        let Some(path) = text.strip_prefix(prefix) else {
            continue;
        };
        let id = path.split('/').take(2).collect::<Vec<_>>().join("/");
        if model_id(&id).is_ok() {
            return Err(wrong.help(format!("write the id alone: `{id}`")));
        }
    }
    Err(wrong)
}

/// A branch, tag or commit at Hugging Face.
pub fn revision(text: &str) -> Read<String> {
    let good = (1..=255).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
        && !text.contains("..")
        && !text.contains("//")
        && !text.ends_with('/');
    if good {
        Ok(text.to_owned())
    } else {
        Err(expected("a branch, tag or commit of the model", text))
    }
}

pub fn service_name(text: &str) -> Read<String> {
    if is_service_name(text) {
        return Ok(text.to_owned());
    }
    let what = format!(
        "a service name of at most {MAX_NAME} lowercase letters, digits and `-`, beginning with a letter"
    );
    let wrong = expected(&what, text);
    if text.is_empty() || text.len() > 200 {
        return Err(wrong);
    }
    Err(wrong.help(format!("`{}` would do", super::names::service_name(text))))
}

pub fn memory(text: &str) -> Read<Memory> {
    Memory::parse(text).map_err(|_| {
        let wrong = expected("an amount of memory such as `16Gi` or `512Mi`", text);
        let upper = text.to_uppercase();
        let number: String = text.chars().take_while(char::is_ascii_digit).take(6).collect();
        let gib = upper.ends_with('G') || upper.ends_with("GB") || upper.ends_with("GIB");
        if gib && !number.is_empty() {
            wrong.help(format!("did you mean `{number}Gi`?"))
        } else {
            wrong
        }
    })
}

/// A duration within bounds.
pub fn duration(text: &str, least: Duration, most: Duration) -> Read<Duration> {
    let read = parse_duration(text).map_err(|_| {
        let wrong = expected("a duration such as `500ms`, `90s`, `30m`, `72h` or `30d`", text);
        let number = !text.is_empty() && text.len() < 8 && text.bytes().all(|b| b.is_ascii_digit());
        if number {
            wrong.help(format!("add a unit: `{text}s` is seconds"))
        } else {
            wrong
        }
    })?;
    if read < least || read > most {
        let range = format!("a duration from {} to {}", written(least), written(most));
        return Err(expected(&range, text));
    }
    Ok(read)
}

/// A whole number of seconds as it is written in the file, `30d`.
fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let unit = units
        .into_iter()
        .find(|(factor, _)| seconds > 0 && seconds.is_multiple_of(*factor));
    let (factor, unit) = unit.unwrap_or((1, 's'));
    format!("{}{unit}", seconds / factor)
}

/// `name` or `name:version` in Secret Manager. The text is never repeated when it may be a secret itself.
pub fn secret(text: &str) -> Read<SecretRef> {
    let (name, version) = text.split_once(':').unwrap_or((text, "latest"));
    let word = |t: &str| {
        t.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    let token = name.starts_with("hf_") && name.len() > 20 || name.starts_with("sk-");
    if token {
        let wrong = Wrong::from(
            "expected the name of a secret in Secret Manager, got what looks like a secret's value",
        );
        return Err(wrong
            .help("revoke it, store the new one in Secret Manager and give its name here")
            .secret());
    }
    let version_ok = match version.bytes().next() {
        Some(b'0'..=b'9') => {
            version.bytes().all(|b| b.is_ascii_digit()) && version != "0" && version.len() < 10
        }
        Some(first) => first.is_ascii_alphabetic() && version.len() <= 63 && word(version),
        None => false,
    };
    if (1..=255).contains(&name.len()) && word(name) && version_ok {
        return Ok(SecretRef {
            name: name.to_owned(),
            version: version.to_owned(),
        });
    }
    let wrong =
        Wrong::from("expected the name of a secret in Secret Manager, as `name` or `name:version`").secret();
    Err(if text.starts_with("projects/") {
        wrong.help("give the short name; the secret is looked up in the project that is deployed to")
    } else {
        wrong
    })
}

pub fn service_account(text: &str) -> Read<String> {
    let good = text.len() <= 200
        && text.split_once('@').is_some_and(|(name, domain)| {
            let chars = |t: &str| {
                !t.is_empty()
                    && t.chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
            };
            chars(name) && chars(domain) && domain.ends_with(".gserviceaccount.com")
        });
    let what = "a service account such as `name@project.iam.gserviceaccount.com`";
    if good {
        Ok(text.to_owned())
    } else {
        Err(expected(what, text))
    }
}

/// A container image with a tag or a digest.
pub fn image(text: &str) -> Read<String> {
    let what = "an image with a tag or a digest such as `vllm/vllm-openai:v0.28.0`";
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c));
    if text.is_empty() || text.len() > 500 || !plain || !text.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Err(expected(what, text));
    }
    if let Some((name, digest)) = text.split_once('@') {
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        let lower = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let good = !name.is_empty() && hex.len() == 64 && hex.bytes().all(lower);
        return if good {
            Ok(text.to_owned())
        } else {
            Err(expected(
                "an image whose digest is `sha256:` and 64 hex digits",
                text,
            ))
        };
    }
    let tag = text
        .rsplit('/')
        .next()
        .and_then(|last| last.split_once(':'))
        .map(|(_, tag)| tag);
    match tag {
        Some(tag) if !tag.is_empty() && !tag.contains(':') => Ok(text.to_owned()),
        _ => {
            Err(expected(what, text)
                .help("without a tag the newest image would be taken, another one each time"))
        }
    }
}

pub fn bucket(text: &str) -> Read<String> {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let good = (3..=63).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c))
        && ends(text.chars().next())
        && ends(text.chars().last());
    if good {
        return Ok(text.to_owned());
    }
    let wrong = expected(
        "a Cloud Storage bucket's name (3 to 63 lowercase letters, digits, `-`, `_` and `.`)",
        text,
    );
    Err(if text.starts_with("gs://") {
        wrong.help("leave out `gs://`")
    } else {
        wrong
    })
}

pub fn repository(text: &str) -> Read<String> {
    let good = (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.ends_with('-');
    let what = "an Artifact Registry repository's name (lowercase letters, digits and `-`)";
    if good {
        Ok(text.to_owned())
    } else {
        Err(expected(what, text))
    }
}

#[cfg(test)]
mod tests;
