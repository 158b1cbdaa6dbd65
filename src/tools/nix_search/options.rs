//! The search for options of a host.

use std::collections::BTreeSet;

use super::index_state::IndexState;
use super::{Found, SearchError, answer, hit};
use crate::flake::options::HostOption;
use crate::search::exact;
use crate::search::index::{HostOptionsSource, IndexEntry, Query, Spelling};
use crate::tools::Context;
use crate::tools::indexes::Available;

/// Most suggestions.
const SUGGESTIONS: usize = 5;

/// Searches the options of a host.
pub(super) async fn search(
    context: &Context,
    source: &HostOptionsSource,
    query: &Query,
    text: &str,
) -> Result<Found, SearchError> {
    let (index, state) = match context.services.indexes.options.available(context, source).await? {
        Available::Ready(index) => {
            let state = IndexState::of_ready(&index);
            (index, state)
        }
        Available::Building { progress, begun, previous } => {
            let state = Some(IndexState::of_build(&progress, begun, previous.as_ref()));
            match previous {
                Some(previous) => (previous, state),
                None => return Ok(Found { index: state, ..Found::default() }),
            }
        }
    };
    let mut found = Found { index: state, ..Found::default() };
    let mut first: Vec<HostOption> = Vec::new();
    if exact::is_name(text) {
        let (mut answer, option) = exact::option_answer(&index.lock(), text)?;
        if let Some(option) = &option
            && option.removed
        {
            let message =
                exact::option_removal_message(context.flake(), &source.host, option, &context.call).await?;
            answer = exact::removed_option(&index.lock(), option, message)?;
        }
        for path in answer.target.iter().chain(answer.replacements.iter().map(|known| &known.attr)) {
            first.extend(index.lock().entry(path)?);
        }
        first.extend(option);
        found.exact = Some(answer.into());
    }
    let (mut matches, mut total) = index.lock().find(query)?;
    let is_missing = found.exact.as_ref().is_none_or(super::ExactAnswer::is_missing);
    if is_missing && exact::is_name(text) || matches.is_empty() && first.is_empty() {
        let mut nearest = index.lock().nearest(text, SUGGESTIONS)?;
        if text.contains('.') {
            // The words of a path with an error match other paths by chance, so the most similar path comes first.
            let wanted = Spelling::new(text);
            let similarity =
                |option: &HostOption| HostOption::similarity(&option.path.to_lowercase(), None, &wanted);
            let found = nearest.iter().cloned().chain(matches.drain(..).map(|known| known.entry));
            let mut similar: Vec<(f64, HostOption)> =
                found.map(|option| (similarity(&option), option)).collect();
            similar.sort_by(|(one, _), (other, _)| other.total_cmp(one));
            first.extend(similar.into_iter().map(|(_, option)| option));
            let mut known = BTreeSet::new();
            first.retain(|option| known.insert(option.path.clone()));
            // They are counted below.
            total = 0;
        }
        nearest.retain(|option| matches.iter().all(|known| known.entry.path != option.path));
        found.suggestions = nearest.iter().map(|option| answer::name(&option.path)).collect();
    }
    let about = first.last().map_or(text, |option| option.path.as_str());
    found.add_unread(&index.lock(), about)?;
    (found.hits, found.total) = hit::in_order(first, matches, total);
    Ok(found)
}
