//! What buttons order.

use super::{Error, Origins, Wish};
use crate::audit;
use crate::buttons::{Orders, Refusal};
use crate::runs;
use async_trait::async_trait;
use bramble_store::Typed;
use bramble_store::record::{Actor, Cluster, Profile, Verb};

#[async_trait]
impl Orders for Origins {
    async fn begin(&self, button: &str, profile: &Profile, name: &str) -> Result<String, Refusal> {
        let there = self.store.find::<Cluster>(name).await;
        if there.map_err(|e| broken(&e))?.is_none() {
            let owner = format!("button/{button}");
            let wish = Wish {
                name,
                template: &profile.template,
                plugin: profile.plugin.as_deref(),
                lifetime: profile.lifetime,
                owner: &owner,
            };
            match self.make(wish).await {
                Ok(_) => {}
                Err(Error::Store(error)) => return Err(broken(&error)),
                Err(error) => return Err(Refusal::new(in_short(&error))),
            }
        }
        self.ordered(button, name, Verb::Up).await
    }

    async fn remove(&self, button: &str, cluster: &str) -> Result<String, Refusal> {
        self.ordered(button, cluster, Verb::Down).await
    }
}

impl Origins {
    async fn ordered(&self, button: &str, cluster: &str, verb: Verb) -> Result<String, Refusal> {
        let by = Actor::Button(button.to_owned());
        match self.runs.accept(cluster, verb, by).await {
            Ok(run) => {
                let what = format!("run {} asked for", run.name);
                // It is carried out whether or not that is noted.
                if let Err(error) = audit::note(&*self.store, button, "button", what).await {
                    tracing::error!("what the button {button} ordered is not noted: {error}");
                }
                Ok(run.name)
            }
            Err(runs::Error::Store(error)) => Err(broken(&error)),
            Err(runs::Error::Origin(error)) => Err(Refusal::new(in_short(&error))),
            Err(error) => Err(Refusal::new(error.to_string())),
        }
    }
}

/// What fits a small display; the whole is in the log.
fn in_short(error: &Error) -> String {
    tracing::warn!("a button's order is refused: {error}");
    match error {
        Error::NoTemplate(name) => format!("no template {name}"),
        Error::Template(_) => "its template has mistakes".into(),
        Error::Shared => "no ccp with this store".into(),
        Error::Machine(_) => "a machine has mistakes".into(),
        Error::Taken(name) => format!("{name} is taken"),
        Error::Few { free, wanted, .. } => format!("{free} of {wanted} machines are free"),
        Error::Given { machine, cluster } => format!("{machine} is {cluster}'s now"),
        Error::Unregistered(machine) => format!("{machine} is not in the pool"),
        Error::Network { lab, .. } => format!("{lab} has its network"),
        Error::NoNetwork => "no network is free".into(),
        Error::Random(_) => "the daemon has no random numbers".into(),
        Error::Store(_) => "the daemon's store failed".into(),
    }
}

fn broken(error: &bramble_store::Error) -> Refusal {
    use bramble_store::Error::{Exists, Missing};
    tracing::error!("a button's order can't be kept: {error}");
    let reason = "the daemon's store failed";
    match error {
        Exists(_) | Missing(_) => Refusal::new(reason),
        _ => Refusal::unsure(reason),
    }
}
