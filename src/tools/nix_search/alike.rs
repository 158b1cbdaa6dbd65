//! Options that many modules declare alike, such as those of a virtual host of nginx: one result has the names of all.

use std::collections::HashMap;

use super::hit::{Hit, Others};
use crate::flake::options::HostOption;
use crate::search::index::IndexEntry;

/// Most further names of a result.
const NAMES: usize = 4;

/// What options that are declared alike have in common.
#[derive(PartialEq, Eq, Hash)]
struct Declaration {
    name: String,
    kind: String,
    description: String,
    default: Option<String>,
    target: Option<String>,
    removed: bool,
}

/// Joins options with equal names, types, descriptions and defaults that the host does not set. The first has the facts, and
/// the names of others.
pub(super) fn joined(hits: Vec<Hit>) -> Vec<Hit> {
    let mut joined: Vec<Hit> = Vec::new();
    let mut positions: HashMap<Declaration, usize> = HashMap::new();
    for hit in hits {
        let declaration = match &hit {
            Hit::Option { option, .. } => declaration(option),
            Hit::Package { .. } => None,
        };
        let first =
            declaration.as_ref().and_then(|known| positions.get(known)).and_then(|at| joined.get_mut(*at));
        if let Some(Hit::Option { others, .. }) = first {
            others.add(hit.path(), NAMES);
            continue;
        }
        if let Some(declaration) = declaration {
            positions.insert(declaration, joined.len());
        }
        joined.push(hit);
    }
    joined
}

/// `None` if the option is a result of its own.
fn declaration(option: &HostOption) -> Option<Declaration> {
    let kind = option.kind.clone()?;
    (!option.description.is_empty() && option.set.is_empty()).then(|| Declaration {
        name: option.leaf().to_owned(),
        kind,
        description: option.description.clone(),
        default: option.default.clone(),
        target: option.target.clone(),
        removed: option.removed,
    })
}

impl Others {
    fn add(&mut self, path: &str, most: usize) {
        if self.names.len() < most {
            self.names.push(path.to_owned());
        } else {
            self.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::index::Package;

    fn option(path: &str) -> HostOption {
        let json = serde_json::json!({
            "path": path, "type": "boolean", "description": "Whether to enable HTTP/3.",
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn options_that_are_alike_are_one_result() {
        let names = ["nginx.http3", "a.http3", "b.http3", "c.http3", "d.http3", "e.http3", "f.http3"];
        let mut options: Vec<HostOption> = names.iter().map(|name| option(name)).collect();
        let set = serde_json::json!([{"path": "mine.http3", "value": "true", "priority": 100}]);
        options.insert(2, HostOption { set: serde_json::from_value(set).unwrap(), ..option("mine.http3") });
        options.insert(3, option("nginx.quic"));
        options.push(HostOption { default: Some("true".to_owned()), ..option("other.http3") });
        let package = || Package { attr: "x.http3".to_owned(), ..Package::default() };
        let hits = options.into_iter().map(Hit::from).chain([package().into(), package().into()]).collect();
        let joined = joined(hits);
        let shown: Vec<&str> = joined.iter().map(Hit::path).collect();
        assert_eq!(shown, ["nginx.http3", "mine.http3", "nginx.quic", "other.http3", "x.http3", "x.http3"]);
        let first = joined.into_iter().next().unwrap().result("http3", false);
        assert_eq!(first.also, ["a.http3", "b.http3", "c.http3", "d.http3"]);
        assert_eq!(first.more_also, 2);
    }
}
