//! Command-line definitions, nothing else.

use crate::units::parse_duration;
