//! A build's source: the files of a gzipped tar archive.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Component, Path},
};

/// Most bytes that a source may unpack to: it has no weights in it.
const MOST: u64 = 256 << 20;

/// Path (relative, `/`-separated) and content of each regular file.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Unpacks a `.tgz`.
///
/// # Errors
/// What is wrong with the archive.
pub fn unpack(archive: &[u8]) -> Result<Files, String> {
    let reader = flate2::read::GzDecoder::new(archive).take(MOST + 1);
    let mut tar = tar::Archive::new(reader);
    let mut files = Files::new();
    let mut total = 0;
    for entry in tar.entries().map_err(|e| e.to_string())? {
        let mut entry = entry.map_err(|e| e.to_string())?;
        total += entry.size();
        if total > MOST {
            return Err(format!("the archive unpacks to more than {MOST} bytes"));
        }
        let path = entry.path().map_err(|e| e.to_string())?.into_owned();
        let name = normal(&path).ok_or_else(|| format!("{} leaves the archive", path.display()))?;
        if entry.header().entry_type().is_file() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(|e| e.to_string())?;
            files.insert(name, content);
        }
    }
    if files.is_empty() {
        return Err("the archive has no files".to_owned());
    }
    Ok(files)
}

fn normal(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(parts.join("/"))
}

/// Joins a folder and a path within the workspace: `/workspace/a`, `./a`, `a/../b`.
pub fn join(folder: &str, path: &str) -> String {
    let path = path
        .strip_prefix("/workspace")
        .map_or(path, |p| if p.is_empty() { "." } else { p });
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = if absolute {
        Vec::new()
    } else {
        folder.split('/').filter(|p| !p.is_empty()).collect()
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The files below a folder, by their path within it.
pub fn below(files: &Files, folder: &str) -> Files {
    if folder.is_empty() {
        return files.clone();
    }
    let inside = |(path, content): (&String, &Vec<u8>)| {
        let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
        Some((rest.to_owned(), content.clone()))
    };
    files.iter().filter_map(inside).collect()
}

#[cfg(test)]
pub fn pack(files: &[(&str, &str)]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(encoder);
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_archive_is_unpacked() {
        let files = unpack(&pack(&[("./Dockerfile", "FROM x"), ("a/b", "c")])).unwrap();
        assert_eq!(files["Dockerfile"], b"FROM x");
        assert_eq!(below(&files, "a")["b"], b"c");
        assert!(unpack(b"no archive").is_err());
        assert!(unpack(&pack(&[])).is_err());
    }

    #[test]
    fn paths_are_joined_within_the_workspace() {
        assert_eq!(join("", "."), "");
        assert_eq!(join("sub", "."), "sub");
        assert_eq!(join("sub", "../Dockerfile"), "Dockerfile");
        assert_eq!(join("sub", "/workspace/a"), "a");
        assert_eq!(join("", "/workspace"), "");
    }
}
