//! The SSH endpoint of a host, from its NixOS configuration and the settings.

use std::num::NonZeroU16;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::advice::Remedy;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::hosts::HOSTS;
use crate::flake::{Answer, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::names::{AttrPath, HostName};
use crate::progress::Call;
use crate::ssh::SshTarget;

/// A host's SSH address, and the identity that its configuration declares.
#[derive(Clone, Debug)]
pub struct HostEndpoint {
    /// The SSH address, user and port.
    pub target: SshTarget,
    /// `networking.hostName`; `None` if it was not evaluated.
    pub host_name: Option<String>,
    /// Its platform, such as `x86_64-linux`; `None` if it was not evaluated.
    pub system: Option<String>,
    /// The parts of the configuration that did not evaluate.
    pub unread: Vec<UnreadPart>,
}

/// Why a host's endpoint is unknown.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The flake could not be evaluated.
    #[error(transparent)]
    Flake(#[from] FlakeError),
    /// Neither the configuration nor the settings have an address.
    #[error("no address is configured for {0}")]
    Nowhere(HostName),
    /// The configured address, user or port is invalid.
    #[error("pantheros.deploy of {host} has an invalid address, user or port")]
    Malformed {
        host: HostName,
        /// What is wrong.
        message: String,
    },
}

impl From<&EndpointError> for Diagnostic {
    fn from(error: &EndpointError) -> Self {
        let attr = |host: &HostName, option: &str| {
            AttrPath::new([HOSTS, host.as_str(), "config", "pantheros", "deploy", option]).to_string()
        };
        match error {
            EndpointError::Flake(error) => error.into(),
            EndpointError::Nowhere(host) => Self::new(Code::NoTarget, error.to_string())
                .with_attr(attr(host, "targetHost"))
                .with_hint(Remedy::SetTarget { host: host.to_string() }),
            EndpointError::Malformed { host, message } => Self::new(Code::TypeMismatch, error.to_string())
                .with_said(message)
                .with_attr(attr(host, "targetHost"))
                .with_hint(
                    "write the address without `user@` and port; set `pantheros.deploy.user` and `port` for \
                    these",
                ),
        }
    }
}

/// The fields of the answer, named as in the probe's Nix expression.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ProbeAnswer {
    target: Option<String>,
    user: Option<String>,
    port: Option<u16>,
    host_name: Option<String>,
    system: Option<String>,
}

/// Returns the host's endpoint: each part from the command line, else from the host's configuration, else from the settings.
/// If the command line or the settings name an address, a configuration that does not evaluate is no error; then
/// [`HostEndpoint::unread`] has the reason.
///
/// # Errors
/// See [`EndpointError`].
pub async fn endpoint_of(flake: &Flake, host: &HostName, call: &Call) -> Result<HostEndpoint, EndpointError> {
    endpoint_from_answer(flake, host, ask_flake(flake, host, call).await)
}

/// Combines the flake's answer about a host with the settings.
pub(in crate::deploy) fn endpoint_from_answer(
    flake: &Flake,
    host: &HostName,
    answer: Result<Answer, FlakeError>,
) -> Result<HostEndpoint, EndpointError> {
    let set = flake.settings().hosts.get(host).cloned().unwrap_or_default();
    let now = flake.settings().target.as_ref().filter(|(name, _)| name == host).map(|(_, place)| place);
    let now = now.cloned().unwrap_or_default();
    let malformed = |message: String| EndpointError::Malformed { host: host.clone(), message };
    let (Answer { value, unread }, evaluates) = match answer {
        Ok(answer) => (answer, true),
        Err(FlakeError::Evaluation(error)) if now.target_host.is_some() || set.target_host.is_some() => {
            let all = UnreadPart { rest: true, ..UnreadPart::new(["config"], *error) };
            (Answer { value: Value::Object(Map::new()), unread: vec![all] }, false)
        }
        Err(error) => return Err(error.into()),
    };
    for (name, is_set) in [
        ("target", now.target_host.is_some() || set.target_host.is_some()),
        ("user", now.user.is_some() || set.user.is_some()),
        ("port", now.port.is_some() || set.port.is_some()),
    ] {
        let unread = unread.iter().find(|unread| unread.covers([name]));
        if let Some(unread) = unread.filter(|_| evaluates && !is_set) {
            return Err(FlakeError::Evaluation(Box::new(unread.error.clone())).into());
        }
    }
    let probed: ProbeAnswer = serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?;
    let parsed = |address: String| address.parse().map_err(|error| malformed(format!("{error}")));
    let Some(address) = now.target_host.or(probed.target.map(parsed).transpose()?).or(set.target_host) else {
        return Err(EndpointError::Nowhere(host.clone()));
    };
    let parsed = |user: String| user.parse().map_err(|error| malformed(format!("{error}")));
    let user = match now.user.or(probed.user.map(parsed).transpose()?).or(set.user) {
        Some(user) => user,
        None => parsed("root".to_owned())?,
    };
    let port = now.port.or(probed.port).or(set.port).unwrap_or(22);
    let target = SshTarget {
        address,
        user,
        port: NonZeroU16::new(port).ok_or_else(|| malformed("port 0".to_owned()))?,
    };
    Ok(HostEndpoint { target, host_name: probed.host_name, system: probed.system, unread })
}

async fn ask_flake(flake: &Flake, host: &HostName, call: &Call) -> Result<Answer, FlakeError> {
    flake
        .remembered(&format!("place {host}"), call, |flake| async move {
            call.report_message(format!("evaluating the address of {host}"));
            let question = Question::new([HOSTS, host.as_str()], "place");
            match flake.ask("hosts", vec![question], Instantiate::No, call).await?.pop() {
                Some(Ok(answer)) => Ok(answer),
                Some(Err(diagnostic)) => flake.explain(host, diagnostic, call).await,
                None => Ok(Answer::default()),
            }
        })
        .await
}
