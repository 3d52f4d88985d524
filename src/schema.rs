//! JSON Schemas (draft 2020-12) as they are published: under an address, with what they are before the details.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

/// The schema of what is read as `T`.
pub fn read<T: JsonSchema>(id: &str) -> Value {
    of::<T>(SchemaSettings::draft2020_12(), id)
}

/// The schema of what is written as `T`: what is always there is required.
pub fn written<T: JsonSchema>(id: &str) -> Value {
    of::<T>(SchemaSettings::draft2020_12().for_serialize(), id)
}

fn of<T: JsonSchema>(settings: SchemaSettings, id: &str) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("$id".to_owned(), json!(id));
        for key in ["description", "title", "$id", "$schema"] {
            if let Some(value) = root.shift_remove(key) {
                root.shift_insert(0, key.to_owned(), value);
            }
        }
    }
    schema
}
