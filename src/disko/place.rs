//! Where the entries of a layout are defined.

use serde_json::{Value, json};

use super::model::Place;
use super::read::Attrs;

/// The attribute of an entry with its place. disko's options have no such name, and the probe leaves out names that begin
/// with an underscore.
const ATTRIBUTE: &str = "_place";

/// Writes each of the places that [`PLACES`](super::PLACES) found to the entry it belongs to.
pub(super) fn insert_places(probe: &mut Value) {
    let Some(Value::Array(places)) = probe.get_mut("places").map(Value::take) else { return };
    for place in places {
        let Some(path) = place.get("path").and_then(Value::as_array) else { continue };
        let mut entry = probe.get_mut("devices");
        for name in path {
            entry = entry.zip(name.as_str()).and_then(|(entry, name)| entry.get_mut(name));
        }
        if let Some(Value::Object(entry)) = entry {
            entry.insert(ATTRIBUTE.to_owned(), json!({"file": place["file"], "line": place["line"]}));
        }
    }
}

/// The place of an entry; `None` if it is not known.
pub(super) fn place_of(entry: Attrs<'_>) -> Option<Place> {
    let place = entry.attrs(ATTRIBUTE);
    let line = u64::try_from(place.integer("line")?).ok()?;
    Some(Place { file: place.text("file")?, line })
}
