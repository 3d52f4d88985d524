//! Checks requests against the published schemas.
