//! Files: written whole or not at all, and read with limits ([`open`]).

pub mod open;

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Writes beside the file and renames, so that nobody ever sees half of it and a failure leaves the old one.
///
/// # Errors
/// For the user: what could not be written and why.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    // What is no regular file (`/dev/stdout`, a pipe) can't be replaced.
    let special = std::fs::metadata(path).is_ok_and(|found| !found.is_file());
    let done = if special {
        std::fs::write(path, text)
    } else {
        replace(path, text)
    };
    done.map_err(|error| unwritable(path, &error))
}

/// Of a regular file, or where none is yet.
///
/// # Errors
/// As the file system gives them; the old file is then as it was.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let temporary = beside(path);
    let done = write_new(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    done
}

/// A file that was not there: not what a link of that name leads to.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

/// In the same folder, or a rename could not put it in place.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

/// Whether a file can be made there: before an hour of measuring rather than after it.
///
/// # Errors
/// As [`write`].
pub fn check(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let problem = match std::fs::metadata(folder) {
        Ok(found) if !found.is_dir() => "its folder is a file".to_owned(),
        Ok(_) if path.is_dir() => "it is a folder".to_owned(),
        Ok(_) => return Ok(()),
        Err(error) => format!("its folder: {error}"),
    };
    Err(format!("could not write {}: {problem}", path.display()))
}

/// The message for a file that could not be written.
pub fn unwritable(path: &Path, error: &io::Error) -> String {
    format!("could not write {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        for text in ["one", "two"] {
            check(&path).unwrap();
            write(&path, text).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_can_not_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("file");
        std::fs::write(&there, "").unwrap();
        for path in [
            folder.path().join("missing/x.json"),
            there.join("x"),
            folder.path().into(),
        ] {
            let error = check(&path).unwrap_err();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
        let error = write(&folder.path().join("missing/x.json"), "").unwrap_err();
        assert!(error.contains("x.json"), "{error}");
    }
}
