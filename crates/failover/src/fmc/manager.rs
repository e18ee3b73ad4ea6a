//! What the manager is asked for in an upgrade.

use elpis_run::with_causes;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Client, FmcOptions};
use super::error::FmcError;
use crate::ftd::{Manager, ManagerStanding, SwitchError};
use crate::ssh::Boxed;

/// The manager of a pair.
pub struct Fmc {
    client: Client,
    names: FmcNames,
}

/// What the pair and its units are called at the manager, where nobody else has to know them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FmcNames {
    /// The high-availability pair, such as `FTD_HA`.
    pub pair: String,
    /// Its two units, such as `FTD Primary`.
    pub units: [String; 2],
}

/// A high-availability pair as the manager knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FmcPair {
    /// The pair's identifier.
    pub id: String,
    /// Identifier of the primary unit.
    pub primary: String,
    /// Identifier of the secondary unit.
    pub secondary: String,
}

/// How far a task of the manager's is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// It goes on, or is a word that we do not know.
    Running(String),
    /// It came to its good end.
    Completed,
    /// It failed, with the manager's words.
    Failed(String),
}

const PLATFORM: &str = "/api/fmc_platform/v1";

impl Fmc {
    /// The manager of `options`, for the pair and units of these names.
    ///
    /// # Errors
    /// When the address is not `https` and not loopback, or the certificates cannot be used.
    pub fn new(options: FmcOptions, names: FmcNames) -> Result<Fmc, FmcError> {
        Ok(Fmc {
            client: Client::new(options)?,
            names,
        })
    }

    /// Its own version, such as `7.2.8`.
    ///
    /// # Errors
    /// See [`FmcError`].
    pub async fn version(&self) -> Result<String, FmcError> {
        let path = format!("{PLATFORM}/info/serverversion");
        let answer = self.client.send(Method::GET, &path, None).await?;
        let text = word(&answer, "/items/0/serverVersion", &path)?;
        Ok(text
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned())
    }

    /// The units that have changes waiting, or are being deployed to, with the reason; the pair
    /// itself, where the manager lists it in their place. What the manager does not list has none.
    ///
    /// # Errors
    /// See [`FmcError`]; also when the manager does not say whether a unit is up to date.
    pub async fn pending_deployments(&self) -> Result<Vec<String>, FmcError> {
        let path = self
            .config("deployment/deployabledevices?expanded=true&limit=1000")
            .await?;
        let answer = self.client.send(Method::GET, &path, None).await?;
        let mut pending = Vec::new();
        for item in items(&answer, &path)? {
            let name = word(item, "/name", &path)?;
            if name != self.names.pair && !self.names.units.contains(&name) {
                continue;
            }
            let flag = |key: &str| item.get(key).and_then(Value::as_bool);
            if flag("isDeploying") == Some(true) {
                pending.push(format!("{name} is being deployed to"));
            } else if flag("upToDate") != Some(true) {
                pending.push(format!("{name} has changes that are not deployed"));
            }
        }
        Ok(pending)
    }

    /// Its units with the version that it shows for each; `None` where it shows none. The field
    /// `sw_version` is background knowledge, from no document.
    ///
    /// # Errors
    /// See [`FmcError`]; [`FmcError::Unknown`] when it does not list one of the units.
    pub async fn shown_versions(&self) -> Result<Vec<(String, Option<String>)>, FmcError> {
        let path = self
            .config("devices/devicerecords?expanded=true&limit=1000")
            .await?;
        let answer = self.client.send(Method::GET, &path, None).await?;
        let devices = items(&answer, &path)?;
        let field = |item: &Value, key: &str| item.get(key)?.as_str().map(str::to_owned);
        self.names
            .units
            .iter()
            .map(|unit| {
                let device = devices
                    .iter()
                    .find(|item| field(item, "name").as_ref() == Some(unit))
                    .ok_or_else(|| FmcError::Unknown {
                        what: "device",
                        name: unit.clone(),
                    })?;
                Ok((unit.clone(), field(device, "sw_version")))
            })
            .collect()
    }

    /// The pair, by its name.
    ///
    /// # Errors
    /// See [`FmcError`].
    pub async fn pair(&self) -> Result<FmcPair, FmcError> {
        let name = &self.names.pair;
        let path = self
            .config("devicehapairs/ftddevicehapairs?expanded=true&limit=1000")
            .await?;
        let answer = self.client.send(Method::GET, &path, None).await?;
        let found = items(&answer, &path)?
            .iter()
            .find(|item| item.get("name").and_then(Value::as_str) == Some(name.as_str()))
            .ok_or_else(|| FmcError::Unknown {
                what: "pair",
                name: name.clone(),
            })?;
        Ok(FmcPair {
            id: word(found, "/id", &path)?,
            primary: word(found, "/primary/id", &path)?,
            secondary: word(found, "/secondary/id", &path)?,
        })
    }

    /// Lets the manager copy `package`, which must have been uploaded to it, to both units.
    /// Returns the task's identifier.
    ///
    /// # Errors
    /// See [`FmcError`].
    pub async fn copy_package(&self, package: &str, pair: &FmcPair) -> Result<String, FmcError> {
        self.upgrade(package, pair, "pushUpgradeFileOnly").await
    }

    /// Lets the manager check the readiness of both units. Returns the task's identifier.
    ///
    /// # Errors
    /// See [`FmcError`].
    pub async fn check_readiness(&self, package: &str, pair: &FmcPair) -> Result<String, FmcError> {
        self.upgrade(package, pair, "readinessCheckOnly").await
    }

    /// Switches the pair over. A changing request is sent once: look at the units for its result.
    ///
    /// # Errors
    /// See [`FmcError`].
    pub async fn switch(&self, pair: &FmcPair) -> Result<(), FmcError> {
        let path = format!("devicehapairs/ftddevicehapairs/{}", pair.id);
        let path = self.config(&path).await?;
        let body = json!({ "id": pair.id, "action": "SWITCH" });
        self.client
            .send(Method::PUT, &path, Some(body))
            .await
            .map(drop)
    }

    /// How far a task is.
    ///
    /// # Errors
    /// See [`FmcError`].
    pub async fn task(&self, id: &str) -> Result<TaskState, FmcError> {
        let path = self.config(&format!("job/taskstatuses/{id}")).await?;
        let answer = self.client.send(Method::GET, &path, None).await?;
        let status = word(&answer, "/status", &path)?;
        let message = answer
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or(&status);
        Ok(match status.to_ascii_uppercase().as_str() {
            "COMPLETED" | "SUCCESS" | "SUCCEEDED" => TaskState::Completed,
            "FAILED" | "FAILURE" | "CANCELLED" => TaskState::Failed(message.to_owned()),
            _ => TaskState::Running(message.to_owned()),
        })
    }

    async fn upgrade(&self, package: &str, pair: &FmcPair, only: &str) -> Result<String, FmcError> {
        let path = format!("{PLATFORM}/updates/upgradepackages?limit=1000");
        let answer = self.client.send(Method::GET, &path, None).await?;
        let found = items(&answer, &path)?
            .iter()
            .find(|item| item.get("name").and_then(Value::as_str) == Some(package))
            .ok_or_else(|| FmcError::Unknown {
                what: "package",
                name: package.to_owned(),
            })?;
        let id = word(found, "/id", &path)?;
        let targets =
            [&pair.primary, &pair.secondary].map(|id| json!({ "id": id, "type": "Device" }));
        let mut body = json!({ "upgradePackage": { "id": id }, "targets": targets });
        if let Some(fields) = body.as_object_mut() {
            fields.insert(only.to_owned(), Value::Bool(true));
        }
        let path = format!("{PLATFORM}/updates/upgrades");
        let answer = self.client.send(Method::POST, &path, Some(body)).await?;
        word(&answer, "/metadata/task/id", &path)
    }

    async fn config(&self, rest: &str) -> Result<String, FmcError> {
        let domain = self.client.domain().await?;
        Ok(format!("/api/fmc_config/v1/domain/{domain}/{rest}"))
    }
}

impl Manager for Fmc {
    fn terms(&self) -> Value {
        json!({
            "address": self.client.address(),
            "pair": self.names.pair,
            "units": self.names.units,
        })
    }

    fn standing(&self) -> Boxed<'_, Result<ManagerStanding, String>> {
        Box::pin(async move {
            let version = self.version().await.map_err(|error| with_causes(&error))?;
            let pending = self
                .pending_deployments()
                .await
                .map_err(|error| with_causes(&error))?;
            Ok(ManagerStanding { version, pending })
        })
    }

    fn shown_versions(&self) -> Boxed<'_, Result<Vec<(String, Option<String>)>, String>> {
        Box::pin(async move {
            let shown = Fmc::shown_versions(self).await;
            shown.map_err(|error| with_causes(&error))
        })
    }

    fn switch(&self) -> Boxed<'_, Result<(), SwitchError>> {
        Box::pin(async move {
            // Looking the pair up changes nothing, whatever goes wrong there.
            let pair = self.pair().await;
            let pair = pair.map_err(|error| SwitchError::Refused(with_causes(&error)))?;
            Fmc::switch(self, &pair).await.map_err(|error| {
                let reason = with_causes(&error);
                match error.is_refusal() {
                    true => SwitchError::Refused(reason),
                    false => SwitchError::Unknown(reason),
                }
            })
        })
    }
}

fn items<'a>(answer: &'a Value, path: &str) -> Result<&'a [Value], FmcError> {
    match answer.get("items") {
        Some(Value::Array(items)) => Ok(items),
        // An empty list is left out; then the paging says so.
        None if answer.pointer("/paging/count").and_then(Value::as_u64) == Some(0) => Ok(&[]),
        _ => Err(missing(path, "items")),
    }
}

fn word(answer: &Value, pointer: &str, path: &str) -> Result<String, FmcError> {
    match answer.pointer(pointer).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(missing(path, pointer)),
    }
}

fn missing(path: &str, what: &str) -> FmcError {
    FmcError::Answer {
        request: path.to_owned(),
        missing: what.to_owned(),
    }
}
