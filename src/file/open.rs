//! Opens the files that a repository, an input or an option names.
//!
//! A repository's files are written by others: a symbolic link can lead to a runner's secrets, a device never ends, and
//! opening a pipe waits for its other end. So in a checkout nothing but a regular file without a link on its way is
//! read, and everywhere no more than a limit.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Component, Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, openat},
    sys::stat::Mode,
};

use crate::environment::Environment;

/// Variables that name files with credentials. `google-github-actions/auth` writes its file into the checkout.
const CREDENTIALS: [&str; 3] = [
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
    "GOOGLE_GHA_CREDS_PATH",
];

/// Where a file may be that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Any regular file: a person typed its path.
    #[default]
    Anywhere,
    /// Below a folder, without a symbolic link on the way from there, and not in `.git`.
    Below {
        folder: PathBuf,
        /// Files with credentials, which are not read though they may be there.
        credentials: Vec<PathBuf>,
    },
}

/// A file that was named, and where it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub path: PathBuf,
    pub reach: Reach,
}

impl Reach {
    /// Below `folder`, but for the credentials that `environment` names.
    pub fn below(folder: PathBuf, environment: &Environment) -> Self {
        let credentials = CREDENTIALS.iter().filter_map(|name| environment.get(name));
        Self::Below {
            folder,
            credentials: credentials.map(PathBuf::from).collect(),
        }
    }
}

/// Reads a text in UTF-8 of at most `most` bytes, away from the caller's thread.
///
/// # Errors
/// As [`open`]; and `InvalidData` when it is no UTF-8.
pub async fn read_text(path: &Path, reach: &Reach, most: u64) -> io::Result<String> {
    let (path, reach) = (path.to_owned(), reach.clone());
    away(move || text(&path, &reach, most)).await?
}

/// As [`read_text`], on this thread.
///
/// # Errors
/// As [`read_text`].
pub fn text(path: &Path, reach: &Reach, most: u64) -> io::Result<String> {
    let mut text = String::new();
    // It may have grown since it was opened.
    let read = open(path, reach, most)?
        .take(most + 1)
        .read_to_string(&mut text)?;
    if read as u64 > most {
        return Err(too_large(most));
    }
    Ok(text)
}

/// Work that may take long, such as reading a file, away from the threads that react to signals.
///
/// # Errors
/// When the work panicked.
pub async fn away<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| io::Error::other("the reader crashed"))
}

/// Opens a regular file of at most `most` bytes. Never waits for another program.
///
/// # Errors
/// `NotFound` when there is none; else why it is not read. Nothing of its content is in the error.
pub fn open(path: &Path, reach: &Reach, most: u64) -> io::Result<File> {
    let (file, credentials) = match reach {
        Reach::Anywhere => (open_anywhere(path)?, [].as_slice()),
        Reach::Below { folder, credentials } => (open_below(path, folder)?, credentials.as_slice()),
    };
    let about = file.metadata()?;
    require_regular(&about)?;
    if about.len() > most {
        return Err(too_large(most));
    }
    let is_same = |other: &PathBuf| {
        std::fs::metadata(other).is_ok_and(|other| (other.dev(), other.ino()) == (about.dev(), about.ino()))
    };
    if credentials.iter().any(is_same) {
        return Err(io::Error::other("it holds credentials"));
    }
    Ok(file)
}

fn open_anywhere(path: &Path) -> io::Result<File> {
    // Opening a device can already do something.
    require_regular(&std::fs::metadata(path)?)?;
    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the folder itself is opened, which is no link"
)]
/// Step by step from `folder`, so that no link can take the place of a folder in between.
fn open_below(path: &Path, folder: &Path) -> io::Result<File> {
    let real = std::fs::canonicalize(folder)?;
    let here = std::env::current_dir().and_then(std::fs::canonicalize)?;
    let inside = inside(&[&real, folder], &here, path).ok_or_else(outside)?;
    if inside.iter().any(|part| part.eq_ignore_ascii_case(".git")) {
        return Err(io::Error::other("it is in the folder `.git`"));
    }
    let mut so_far = real.clone();
    let mut at = File::open(&real)?;
    let mut parts = inside.iter().peekable();
    while let Some(part) = parts.next() {
        so_far.push(part);
        let is_last = parts.peek().is_none();
        let kind = if is_last {
            OFlag::O_NONBLOCK | OFlag::O_NOCTTY
        } else {
            OFlag::O_DIRECTORY
        };
        let flags = kind | OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let next = openat(&at, part, flags, Mode::empty());
        at = File::from(next.map_err(|error| reason(&so_far, is_last, error.into()))?);
    }
    Ok(at)
}

/// The system's own words for a link on the way are about loops.
fn reason(so_far: &Path, is_last: bool, error: io::Error) -> io::Error {
    let is_link = std::fs::symlink_metadata(so_far).is_ok_and(|about| about.is_symlink());
    if !is_link {
        return error;
    }
    io::Error::other(if is_last {
        "it is a symbolic link, which is not followed in a checkout"
    } else {
        "there is a symbolic link in its path, which is not followed in a checkout"
    })
}

/// `path`, seen from `here`, as one below one of `tops`, which are names of the same folder. By its name alone: `..`
/// takes back the part before it, whatever that is.
pub fn inside(tops: &[&Path], here: &Path, path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in here.join(path).components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    let mut below = tops.iter().filter_map(|top| plain.strip_prefix(top).ok());
    below
        .next()
        .filter(|below| *below != Path::new(""))
        .map(Path::to_path_buf)
}

fn require_regular(about: &Metadata) -> io::Result<()> {
    if about.is_file() {
        return Ok(());
    }
    Err(io::Error::other(if about.is_dir() {
        "it is a folder"
    } else {
        "it is no regular file"
    }))
}

fn too_large(most: u64) -> io::Error {
    io::Error::other(format!("it is larger than {} MiB", most >> 20))
}

fn outside() -> io::Error {
    io::Error::other("it is outside of the checkout")
}

#[cfg(test)]
mod tests;
