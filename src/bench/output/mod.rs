//! A result for others: files, schema, other tools' fields.
