//! Enough file descriptors for a thousand connections.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises this process's soft limit to the hard one: many systems start with 1,024. Where that is refused, the
/// connections that are too many fail with the reason.
pub fn raise() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
