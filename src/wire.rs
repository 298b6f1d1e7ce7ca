//! Events as JSON lines.
