//! Replays recorded requests.
