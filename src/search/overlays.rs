//! The packages that a host's overlays define.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::index::{Package, thrown_package};
use crate::flake::hosts::HOSTS;
use crate::flake::{AskOptions, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::names::HostName;
use crate::nix::NixError;
use crate::progress::Call;

/// Most names of overlays that are read. An overlay with more is most of another nixpkgs.
const MOST: usize = 2_000;

/// A package that a host's overlays define.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayPackage {
    #[serde(flatten)]
    pub package: Package,
    /// Where the last overlay defines it: `FILE:LINE`; `None` if Nix does not know.
    #[serde(default)]
    pub defined_at: Option<String>,
}

/// A package in the answer of the probe.
#[derive(Deserialize)]
struct OverlayEntry {
    #[serde(default)]
    thrown: bool,
    #[serde(flatten)]
    package: OverlayPackage,
}

/// The packages that a host's overlays define, and those that could not be read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OverlayPackages {
    pub packages: Vec<OverlayPackage>,
    pub unread: Vec<UnreadPart>,
}

/// The packages that the overlays of a host define.
///
/// # Errors
/// See [`FlakeError`]. A host that does not evaluate has its error in [`OverlayPackages::unread`].
pub async fn of_host(flake: &Flake, host: &HostName, call: &Call) -> Result<OverlayPackages, FlakeError> {
    flake
        .remembered(&format!("overlays {host}"), call, |flake| async move {
            call.report_message(format!("reading the overlays of {host}"));
            let question =
                Question::new([HOSTS, host.as_str()], "overlay_packages").with(json!({ "most": MOST }));
            let options = AskOptions::new("hosts", Instantiate::No);
            let mut round = flake.ask_with(&options, vec![question], call).await?;
            if round.has_fetched {
                flake.mark_transient();
            }
            Ok(match round.answers.pop() {
                Some(Ok(answer)) => {
                    let entries: Vec<OverlayEntry> =
                        serde_json::from_value(answer.value).map_err(|error| NixError::NotUnderstood {
                            what: "the packages of the overlays",
                            said: error.to_string(),
                        })?;
                    let (thrown, works): (Vec<_>, Vec<_>) =
                        entries.into_iter().partition(|entry| entry.thrown);
                    let thrown = thrown.into_iter().map(|entry| thrown_package(entry.package.package.attr));
                    OverlayPackages {
                        packages: works.into_iter().map(|entry| entry.package).collect(),
                        unread: answer.unread.into_iter().chain(thrown).collect(),
                    }
                }
                Some(Err(error)) => OverlayPackages {
                    packages: Vec::new(),
                    unread: vec![UnreadPart::new([HOSTS, host.as_str(), "pkgs"], error)],
                },
                None => OverlayPackages::default(),
            })
        })
        .await
}
