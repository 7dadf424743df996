//! What all routes share.

use super::problem::Refused;
use crate::ask::Asker;
use crate::auth::Auth;
use crate::buttons::Handler;
use crate::limit::{Limiter, Limits};
use crate::origins::Origins;
use crate::runs::Runs;
use axum::http::StatusCode;
use bramble_lights::{Panel, Rules};
use bramble_store::Store;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// How often it is asked again whether who follows a stream may look.
const AGAIN: Duration = Duration::from_secs(30);

/// Who hears buttons.
#[derive(Clone)]
pub enum Ears {
    /// Nobody.
    None,
    /// This daemon, once it leads; one that is alone always does. While its bus is opened anew there is no handler.
    Leader {
        /// The one that hears them.
        handler: Arc<RwLock<Option<Arc<Handler>>>>,
        /// Which other daemon leads, if it is known.
        other: watch::Receiver<Option<String>>,
    },
}

/// What all routes share.
#[derive(Clone)]
pub struct App {
    /// What the daemon remembers.
    pub store: Arc<dyn Store>,
    /// Runs.
    pub runs: Arc<Runs>,
    /// Where machines come from.
    pub origins: Arc<Origins>,
    /// Answers questions about clusters.
    pub asker: Arc<Asker>,
    /// What is shown by the lights.
    pub lights: Arc<Panel>,
    /// Who is who.
    pub auth: Auth,
    /// Who hears buttons.
    pub buttons: Ears,
    /// How often it is asked again whether who follows a stream may look.
    pub known_again: Duration,
    limiter: Arc<Limiter>,
}

impl App {
    /// The parts of a daemon.
    pub fn new(store: Arc<dyn Store>, runs: Arc<Runs>, limits: Limits) -> Self {
        let settings = runs.settings();
        Self {
            asker: Arc::new(Asker::new(&settings.data, &settings.program)),
            auth: Auth::new(store.clone()),
            buttons: Ears::None,
            lights: Panel::new(Rules::default()),
            origins: Origins::new(store.clone(), runs.clone()),
            store,
            runs,
            known_again: AGAIN,
            limiter: Arc::new(Limiter::new(limits)),
        }
    }

    /// Counts a try of a password.
    ///
    /// # Errors
    /// 429 with the seconds to wait.
    pub(super) fn count_try(&self, address: IpAddr) -> Result<(), Refused> {
        let counted = self.limiter.count(address);
        counted.map_err(|wait| Refused::too_often(wait.as_secs() + 1))
    }

    /// Who hears buttons.
    ///
    /// # Errors
    /// 404 where nobody does, 503 where another daemon does.
    pub(super) fn handler(&self) -> Result<Arc<Handler>, Refused> {
        match &self.buttons {
            Ears::None => Err(Refused::missing("handler of buttons in this daemon")),
            Ears::Leader { handler, other } => {
                let handler = handler.read().unwrap_or_else(PoisonError::into_inner);
                handler
                    .clone()
                    .ok_or_else(|| elsewhere(other.borrow().as_deref()))
            }
        }
    }
}

/// Nobody hears buttons here.
fn elsewhere(leader: Option<&str>) -> Refused {
    let (said, hint) = match leader {
        Some(name) => (
            format!("the daemon {name} leads, and hears the buttons"),
            "press there; just after the lead has changed, press again in some seconds",
        ),
        None => (
            "this daemon hears no buttons at the moment: another one leads, or the broker is away"
                .into(),
            "press again in some seconds; its log says what is in the way, and where there are several daemons, `kubectl get \
             lease bramble` in their namespace who leads",
        ),
    };
    Refused::new(StatusCode::SERVICE_UNAVAILABLE, said).hint(hint)
}
