//! Where a host of the flake is reached, as its configuration says.

use std::num::NonZeroU16;

use serde::Deserialize;
use serde_json::Value;

use crate::diagnostic::{Code, Diagnostic};
use crate::flake::hosts::HOSTS;
use crate::flake::{Flake, FlakeError, Instantiate, Question};
use crate::names::{AttrPath, HostName};
use crate::progress::Call;
use crate::ssh::Target;

/// What of a host's configuration says how it is reached and what it should be.
#[derive(Clone, Debug)]
pub struct Place {
    /// How it is reached.
    pub target: Target,
    /// `networking.hostName`.
    pub host_name: Option<String>,
    /// Its system, such as `x86_64-linux`.
    pub system: Option<String>,
}

/// Why it is not known where a host is.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The flake could not be evaluated.
    #[error(transparent)]
    Flake(#[from] FlakeError),
    /// Neither the configuration nor the settings say where it is.
    #[error("nothing says where {0} is reached")]
    Nowhere(HostName),
    /// What the configuration says cannot be.
    #[error("pantheros.deploy of {host}: {message}")]
    Malformed {
        /// The host.
        host: HostName,
        /// What is wrong.
        message: String,
    },
}

impl From<&PlaceError> for Diagnostic {
    fn from(error: &PlaceError) -> Self {
        let attr = |host: &HostName, option: &str| {
            AttrPath::new([HOSTS, host.as_str(), "config", "pantheros", "deploy", option]).to_string()
        };
        match error {
            PlaceError::Flake(error) => error.into(),
            PlaceError::Nowhere(host) => Self::new(Code::NoTarget, error.to_string())
                .with_attr(attr(host, "targetHost"))
                .with_hint(format!(
                    "set pantheros.deploy.targetHost in the host's configuration, or `target_host` under `[hosts.{host}]` in pantheros.toml"
                )),
            PlaceError::Malformed { host, .. } => Self::new(Code::TypeMismatch, error.to_string())
                .with_attr(attr(host, "targetHost"))
                .with_hint("an address without `user@` and port; those are options of their own"),
        }
    }
}

/// As the probe gives it.
#[derive(Default, Deserialize)]
struct Told {
    target: Option<String>,
    user: Option<String>,
    port: Option<u16>,
    host_name: Option<String>,
    system: Option<String>,
}

/// Where a host is: as its configuration says, or else the settings. Where the settings say it, a
/// configuration that does not evaluate is no obstacle.
///
/// # Errors
/// See [`PlaceError`].
pub async fn of(flake: &Flake, host: &HostName, call: &Call) -> Result<Place, PlaceError> {
    let set = flake.settings().hosts.get(host).cloned().unwrap_or_default();
    let now = flake.settings().target.as_ref().filter(|(name, _)| name == host).map(|(_, place)| place);
    let now = now.cloned().unwrap_or_default();
    let malformed = |message: String| PlaceError::Malformed { host: host.clone(), message };
    let told: Told = match told(flake, host, call).await {
        Ok(told) => serde_json::from_value(told).map_err(|error| malformed(error.to_string()))?,
        Err(FlakeError::Evaluation(error)) if now.target_host.is_some() || set.target_host.is_some() => {
            tracing::warn!(%error, %host, "the configuration does not evaluate: the settings say where the host is");
            Told::default()
        }
        Err(error) => return Err(error.into()),
    };
    let parsed = |address: String| address.parse().map_err(|error| malformed(format!("{error}")));
    let Some(address) = now.target_host.or(told.target.map(parsed).transpose()?).or(set.target_host) else {
        return Err(PlaceError::Nowhere(host.clone()));
    };
    let parsed = |user: String| user.parse().map_err(|error| malformed(format!("{error}")));
    let user = match now.user.or(told.user.map(parsed).transpose()?).or(set.user) {
        Some(user) => user,
        None => parsed("root".to_owned())?,
    };
    let port = now.port.or(told.port).or(set.port).unwrap_or(22);
    let target =
        Target { address, user, port: NonZeroU16::new(port).ok_or_else(|| malformed("port 0".to_owned()))? };
    Ok(Place { target, host_name: told.host_name, system: told.system })
}

async fn told(flake: &Flake, host: &HostName, call: &Call) -> Result<Value, FlakeError> {
    flake
        .remembered(
            &format!("place {host}"),
            call,
            |_: &Value| true,
            || async {
                call.saying(format!("evaluating where {host} is"));
                let question = Question::new([HOSTS, host.as_str()], "place");
                match flake.ask("hosts", vec![question], Instantiate::No, call).await?.pop() {
                    Some(Ok(facts)) => Ok(facts.value),
                    Some(Err(diagnostic)) => flake.explain(host, diagnostic, call).await,
                    None => Ok(Value::Null),
                }
            },
        )
        .await
}
