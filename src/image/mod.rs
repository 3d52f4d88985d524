//! The image: vLLM's own one plus a model's weights. Dockerfile, scripts, and the build that makes it.
//!
//! Pure: the same recipe gives the same bytes, and the same key.

mod build;
mod layers;

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

pub use build::{BuildRequest, Sizing, adoption_tag, cloud_build, docker_arguments, sizing};
pub use layers::{LAYER_LIMIT, warnings};

use crate::{
    config::Model,
    hugging_face::{ModelFile, ModelFiles, is_plain_path},
};

/// As it is written, with every weight layer that there can be.
pub const DOCKERFILE: &str = include_str!("Dockerfile");
pub const ENTRYPOINT: &str = include_str!("entrypoint.sh");
pub const DOWNLOAD: &str = include_str!("download.sh");

/// What makes an image what it is.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// Image with vLLM, best pinned by digest.
    pub base: &'a str,
    pub model: &'a str,
    /// 40 hexadecimal digits.
    pub commit: &'a str,
    pub files: &'a [&'a ModelFile],
}

impl<'a> Recipe<'a> {
    /// The recipe for a configured model. Its id is the configured one: the hub may answer with another, of another
    /// case or for a renamed model, and the same configuration must give the same key everywhere.
    pub fn of(model: &'a Model, found: &'a ModelFiles, wanted: &'a [&'a ModelFile]) -> Self {
        Self {
            base: &model.image.base,
            model: &model.id,
            commit: &found.commit,
            files: wanted,
        }
    }
}

/// Why there can't be an image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the model has no files to bake")]
    Empty,
    #[error("the model's file {0:?} has a name that can't be baked")]
    BadPath(String),
    #[error(
        "the model's {files} files don't fit into {limit} image layers of {} each. Choose a smaller or quantized \
         model",
        crate::units::human_bytes(LAYER_LIMIT)
    )]
    TooManyLayers { files: usize, limit: usize },
    #[error("could not pack the build context: {0}")]
    Pack(#[from] std::io::Error),
}

/// 16 hexadecimal digits that change when anything in the image would: base, model, commit, files, Dockerfile,
/// scripts, and how files are spread over layers.
pub fn key(recipe: &Recipe<'_>) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    for text in [
        recipe.base,
        recipe.model,
        recipe.commit,
        DOCKERFILE,
        DOWNLOAD,
        ENTRYPOINT,
    ] {
        part(text);
    }
    part(&layers::rule());
    let mut files: Vec<_> = recipe.files.iter().map(|f| (&f.path, f.bytes)).collect();
    files.sort();
    for (path, bytes) in files {
        part(path);
        part(&bytes.to_string());
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// The build context as `(name, mode, text)`.
pub fn context_files(recipe: &Recipe<'_>) -> Result<Vec<(&'static str, u32, String)>, Error> {
    if let Some(bad) = recipe.files.iter().find(|f| !is_plain_path(&f.path)) {
        return Err(Error::BadPath(bad.path.clone()));
    }
    let layers = layers::assign(recipe.files)?;
    Ok(vec![
        ("Dockerfile", 0o644, dockerfile(layers.len())),
        ("download.sh", 0o755, DOWNLOAD.to_owned()),
        ("entrypoint.sh", 0o755, ENTRYPOINT.to_owned()),
        ("manifest.tsv", 0o644, layers::manifest(&layers)),
    ])
}

/// The build context, `tar.gz`: equal bytes for equal input.
pub fn context(recipe: &Recipe<'_>) -> Result<Bytes, Error> {
    let gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    let mut archive = tar::Builder::new(gzip);
    for (name, mode, text) in context_files(recipe)? {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(tar::EntryType::Regular);
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    let mut gzip = archive.into_inner()?;
    gzip.flush()?;
    Ok(gzip.finish()?.into())
}

/// The Dockerfile without the layers that aren't used.
fn dockerfile(used: usize) -> String {
    let is_unused = |line: &str| {
        let layer = line.strip_prefix("COPY --link --from=weights /layers/");
        let number = layer.and_then(|l| l.split('/').next()?.parse::<usize>().ok());
        number.is_some_and(|n| n >= used)
    };
    let mut text = String::new();
    for line in DOCKERFILE.lines().filter(|line| !is_unused(line)) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
