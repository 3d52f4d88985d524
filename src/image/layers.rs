//! Spreads a model's files over image layers.
//!
//! Several layers are compressed, pushed and imported in parallel, and a layer whose files did not change is
//! "already there" in the registry. So small files (configuration, tokenizer), which change oftener, have
//! layers of their own.

use super::Error;
use crate::{hugging_face::ModelFile, units::human_bytes};

/// Layers above 9.9 GB are outside what Cloud Run documents for some registries; this leaves room for tar.
pub const LAYER_LIMIT: u64 = 9_400_000_000;
/// A layer is filled up to here if the layers suffice: a usual shard of a little under 5 GB.
const TARGET: u64 = 5_000_000_000;
/// What counts as small.
const SMALL: u64 = 64_000_000;
/// Layers that the Dockerfile has.
pub(super) const LAYERS: usize = 32;

/// The numbers above, for the image's key.
pub(super) fn rule() -> String {
    format!("first-fit {SMALL} {TARGET} {LAYER_LIMIT} {LAYERS}")
}

/// Files of each layer. A file above the limit has a layer of its own (see [`warnings`]).
pub(super) fn assign<'a>(files: &[&'a ModelFile]) -> Result<Vec<Vec<&'a ModelFile>>, Error> {
    if files.is_empty() {
        return Err(Error::Empty);
    }
    let mut files = files.to_vec();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let (small, big): (Vec<_>, Vec<_>) = files.into_iter().partition(|f| f.bytes <= SMALL);
    for limit in [TARGET, LAYER_LIMIT] {
        let mut layers = first_fit(&small, limit);
        layers.extend(first_fit(&big, limit));
        if layers.len() <= LAYERS {
            return Ok(layers);
        }
    }
    Err(Error::TooManyLayers {
        files: small.len() + big.len(),
        limit: LAYERS,
    })
}

fn first_fit<'a>(files: &[&'a ModelFile], limit: u64) -> Vec<Vec<&'a ModelFile>> {
    let mut layers: Vec<(u64, Vec<&ModelFile>)> = Vec::new();
    for file in files {
        let fits = |(bytes, _): &&mut (u64, Vec<_>)| bytes.saturating_add(file.bytes) <= limit;
        match layers.iter_mut().find(fits) {
            Some((bytes, layer)) => {
                *bytes += file.bytes;
                layer.push(*file);
            }
            None => layers.push((file.bytes, vec![*file])),
        }
    }
    layers.into_iter().map(|(_, layer)| layer).collect()
}

/// Lines of: layer TAB bytes TAB path.
pub(super) fn manifest(layers: &[Vec<&ModelFile>]) -> String {
    let mut text = String::new();
    for (number, layer) in layers.iter().enumerate() {
        for file in layer {
            text.push_str(&format!("{number:02}\t{}\t{}\n", file.bytes, file.path));
        }
    }
    text
}

/// What may go wrong with these files though it need not: one sentence each.
pub fn warnings(files: &[&ModelFile]) -> Vec<String> {
    let too_big = files.iter().filter(|f| f.bytes > LAYER_LIMIT);
    too_big
        .map(|f| {
            format!(
                "`{}` has {}: its image layer is above the 9.9 GB that Cloud Run accepts from every registry. If the \
                 import fails, use a model with smaller shards",
                f.path,
                human_bytes(f.bytes)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(sizes: &[(&str, u64)]) -> Vec<ModelFile> {
        let file = |(path, bytes): &(&str, u64)| ModelFile {
            path: (*path).to_owned(),
            bytes: *bytes,
        };
        sizes.iter().map(file).collect()
    }

    fn sizes(files: &[ModelFile]) -> Vec<Vec<u64>> {
        let layers = assign(&files.iter().collect::<Vec<_>>()).unwrap();
        layers
            .iter()
            .map(|l| l.iter().map(|f| f.bytes).collect())
            .collect()
    }

    #[test]
    fn small_files_are_apart_and_shards_fill_layers() {
        let model = files(&[
            ("model-1.safetensors", 4_900_000_000),
            ("config.json", 700),
            ("model-2.safetensors", 3_000_000_000),
            ("model-3.safetensors", 1_500_000_000),
        ]);
        assert_eq!(
            sizes(&model),
            [vec![700], vec![4_900_000_000], vec![3_000_000_000, 1_500_000_000]]
        );
    }

    #[test]
    fn no_layer_exceeds_the_limit_even_when_layers_are_scarce() {
        let names: Vec<String> = (0..50).map(|n| format!("model-{n:02}.safetensors")).collect();
        let model = files(
            &names
                .iter()
                .map(|n| (n.as_str(), 4_600_000_000))
                .collect::<Vec<_>>(),
        );
        let layers = sizes(&model);
        assert_eq!(layers.len(), 25);
        assert!(layers.iter().all(|l| l.iter().sum::<u64>() <= LAYER_LIMIT));
    }

    #[test]
    fn too_many_layers_are_an_error() {
        let names: Vec<String> = (0..33).map(|n| format!("model-{n:02}.safetensors")).collect();
        let model = files(
            &names
                .iter()
                .map(|n| (n.as_str(), 9_000_000_000))
                .collect::<Vec<_>>(),
        );
        let error = assign(&model.iter().collect::<Vec<_>>()).unwrap_err().to_string();
        assert!(error.contains("32 image layers of 9.4 GB"), "{error}");
    }

    #[test]
    fn a_file_above_the_limit_has_its_own_layer_and_a_warning() {
        let model = files(&[("a.safetensors", 20_000_000_000), ("b.safetensors", 100_000_000)]);
        assert_eq!(sizes(&model), [vec![20_000_000_000], vec![100_000_000]]);
        let warnings = warnings(&model.iter().collect::<Vec<_>>());
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].starts_with("`a.safetensors` has 20.0 GB"),
            "{warnings:?}"
        );
    }
}
