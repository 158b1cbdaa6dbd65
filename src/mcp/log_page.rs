//! The MCP resource for a page of a build log.

use rmcp::model::{MetaObject, ResourceContents};
use serde_json::Map;

use crate::nix::build_log::{LogPage, LogPosition};
use crate::tools::LogRef;

/// A page of a log. If it is not the whole log, the URIs of other pages follow: in the metadata for programs, and in a
/// second text for models, apart from the log's.
pub(super) fn contents(log: &LogRef, page: LogPage, uri: String) -> Vec<ResourceContents> {
    let before = (page.from > 0).then(|| log.at(LogPosition::Until(page.from)).uri());
    let behind = page.has_more.then(|| log.at(LogPosition::From(page.until)).uri());
    let last = page.has_more.then(|| log.at(LogPosition::End).uri());
    let mut about = format!(
        "This is a page of the log of {}, bytes {} to {}. Other pages are these resources:",
        log.drv, page.from, page.until
    );
    let mut meta =
        Map::from_iter([("from".to_owned(), page.from.into()), ("until".to_owned(), page.until.into())]);
    for (key, what, uri) in
        [("previous", "previous page", before), ("next", "next page", behind), ("last", "last page", last)]
    {
        if let Some(uri) = uri {
            about.push_str(&format!("\n{what}: {uri}"));
            meta.insert(key.to_owned(), uri.into());
        }
    }
    let is_all = meta.len() == 2;
    let mut contents = vec![ResourceContents::text(page.text, uri).with_meta(MetaObject(meta))];
    if !is_all {
        contents.push(ResourceContents::text(about, format!("{}#about", log.uri())));
    }
    contents
}
