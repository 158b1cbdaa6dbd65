//! Options that many modules declare alike, such as those of a virtual host of nginx: one result has the names of all.

use super::answer::SearchResult;

/// Most further names of a result.
const NAMES: usize = 4;

/// Joins options with equal names, types, descriptions and defaults that the host does not set. The first has the facts, and
/// the names of others.
pub(super) fn joined(results: Vec<SearchResult>) -> Vec<SearchResult> {
    let mut joined: Vec<SearchResult> = Vec::new();
    for result in results {
        let first = joined.iter_mut().find(|known| is_alike(known, &result));
        match first {
            Some(first) if first.also.len() < NAMES => first.also.push(result.attr),
            Some(first) => first.more_also += 1,
            None => joined.push(result),
        }
    }
    joined
}

fn is_alike(one: &SearchResult, other: &SearchResult) -> bool {
    let leaf = |result: &SearchResult| result.attr.rsplit('.').next().map(str::to_owned);
    let facts = |result: &SearchResult| (result.kind.clone(), result.default.clone(), result.flags.clone());
    // Packages have no type.
    one.kind.is_some()
        && !one.description.is_empty()
        && !one.set
        && !other.set
        && one.description == other.description
        && facts(one) == facts(other)
        && leaf(one) == leaf(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(attr: &str, set: bool) -> SearchResult {
        SearchResult {
            attr: attr.to_owned(),
            kind: Some("boolean".to_owned()),
            description: "Whether to enable HTTP/3.".to_owned(),
            set,
            ..SearchResult::default()
        }
    }

    #[test]
    fn options_that_are_alike_are_one_result() {
        let names = ["nginx.http3", "a.http3", "b.http3", "c.http3", "d.http3", "e.http3", "f.http3"];
        let mut all: Vec<SearchResult> = names.iter().map(|name| option(name, false)).collect();
        all.insert(2, option("mine.http3", true));
        all.insert(3, option("nginx.quic", false));
        let mut other = option("other.http3", false);
        other.default = Some("true".to_owned());
        all.push(other);
        let package = SearchResult { kind: None, ..option("x.http3", false) };
        all.extend([package.clone(), package]);
        let joined = joined(all);
        let shown: Vec<&str> = joined.iter().map(|result| result.attr.as_str()).collect();
        assert_eq!(shown, ["nginx.http3", "mine.http3", "nginx.quic", "other.http3", "x.http3", "x.http3"]);
        let first = joined.first().unwrap();
        assert_eq!(first.also, ["a.http3", "b.http3", "c.http3", "d.http3"]);
        assert_eq!(first.more_also, 2);
    }
}
