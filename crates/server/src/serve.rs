//! All of the daemon together.

mod buttons;
mod duties;
mod home;

pub use buttons::{Broker, Buttons};
pub use home::Home;

use crate::api::{self, App, Limits};
use crate::runs::{self, Runs};
use crate::{files, leader, lights, replica, tls};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use bramble_secret::Secret;
use bramble_store::record::LightState;
use duties::{Duties, Hearers};
use home::Opened;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// How long requests may still take once the daemon is told to stop.
const LAST: Duration = Duration::from_secs(5);

/// How often the certificate is looked at.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long it may take until what only one daemon does has ended, and the lead is handed over.
const HANDOVER: Duration = Duration::from_secs(15);

/// What a daemon is called that shares its home with no other.
const ALONE: &str = "alone";

/// How often a run is begun that never comes to its end.
const TRIES: u32 = 5;

/// What a daemon is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its folder; made if it is missing.
    pub data: PathBuf,
    /// Where it keeps what it knows.
    pub home: Home,
    /// Names and addresses that it is called by.
    pub names: Vec<String>,
    /// Release of Kubernetes for clusters after the first template, such as `v1.34.2`; `None` = the default.
    pub kubernetes: Option<String>,
    /// The program that carries out runs: `bramble`.
    pub program: PathBuf,
    /// How often strangers may try a password.
    pub limits: Limits,
    /// How buttons are heard; `None`: they aren't.
    pub buttons: Option<Buttons>,
    /// Whether the lights watch the clusters that stand.
    pub watches_clusters: bool,
}

/// A daemon that answers from now on.
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate of the authority that clients trust.
    pub authority: PathBuf,
    /// Where its own broker listens, if it has one. Of several daemons only the one that leads has.
    pub broker: Option<SocketAddr>,
    /// The daemon's name among those that share its home.
    pub replica: Option<String>,
    /// What the link of the first user ends with, as long as there is no user.
    pub first: Option<Secret>,
}

/// Why a daemon does not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder can't be used.
    #[error("the daemon's folder {} can't be made", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The address can't be listened at.
    #[error("{address} can't be listened at")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no certificate.
    #[error("the daemon has no certificate")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store can't be opened or used.
    #[error(transparent)]
    Store(#[from] bramble_store::Error),
    /// The first user's link can't be made.
    #[error(transparent)]
    Auth(#[from] crate::auth::Error),
    /// Buttons can't be heard.
    #[error("buttons can't be heard: {0}")]
    Bus(#[source] bramble_bus::Error),
    /// It can't be one of several.
    #[error(transparent)]
    Replica(#[from] replica::Error),
    /// Another daemon may lead now, or what it does has ended by a fault.
    #[error(transparent)]
    Lost(#[from] leader::Lost),
}

impl Error {
    /// What to do about it, if there is something in particular.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Folder { .. } => Some("name one that this user may write to"),
            Error::Listen { .. } => {
                Some("another program listens there, or the address is none of this computer's")
            }
            Error::Store(error) => error.hint(),
            Error::Bus(bramble_bus::Error::Listen { .. }) => {
                Some("name another address (--mqtt ADDRESS:PORT), or have no broker (--mqtt off)")
            }
            Error::Bus(error) => error.hint(),
            Error::Replica(error) => error.hint(),
            Error::Lost(_) => Some("have it started again, by systemd or Kubernetes"),
            Error::Tls(_) | Error::Auth(_) => None,
        }
    }
}

impl From<bramble_bus::Error> for Error {
    fn from(error: bramble_bus::Error) -> Self {
        Error::Bus(error)
    }
}

/// Runs a daemon until it is told to stop; processes of runs go on then, and are found again by the next one.
/// A TLS provider must be installed in the process.
///
/// # Errors
/// [`Error`], before it answers to anybody; [`Error::Lost`] later, when it must be started again.
pub async fn serve(
    settings: Settings,
    ready: impl FnOnce(Serving),
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let data = &settings.data;
    files::folder(data).map_err(|source| Error::Folder {
        path: data.clone(),
        source,
    })?;
    let Opened { store, shared } = Opened::open(&settings.home, data).await?;
    let tls = tls::ensure(&data.join("tls"), holder(&settings.names), &settings.names);
    let tls = tls.map_err(|e| Error::Tls(e.into()))?;
    let config = RustlsConfig::from_pem_file(&tls.certificate, &tls.key).await;
    let config = config.map_err(|e| Error::Tls(e.into()))?;
    let failed = |source| Error::Listen {
        address: settings.listen,
        source,
    };
    let listener = std::net::TcpListener::bind(settings.listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;

    let told = runs::Settings {
        data: data.clone(),
        program: settings.program.clone(),
        tries: TRIES,
    };
    let runs = match &shared {
        None => Runs::new(store.clone(), told),
        Some(shared) => Runs::shared(store.clone(), told, shared.replica.clone()),
    };
    let mut app = App::new(store.clone(), runs.clone(), settings.limits);
    let mut duties = Duties {
        runs,
        origins: app.origins.clone(),
        ears: settings.buttons.map(|told| {
            let (orders, panel) = (app.origins.clone(), app.lights.clone());
            Hearers::new(told, store, orders, tls.clone(), panel, settings.limits)
        }),
    };
    let mut broker = None;
    if let Some(ears) = &mut duties.ears {
        let other = match &shared {
            None => watch::channel(None).1,
            Some(shared) => shared.kubernetes.leader(),
        };
        app.buttons = ears.ears(other);
        if shared.is_none() {
            broker = ears.open().await?;
        }
    }
    let replica = shared.as_ref().map(|s| s.replica.name().to_owned());
    let first = app.auth.first_link(replica.as_deref().unwrap_or(ALONE));
    let first = first.await?;
    // Labs live on one computer: where there are several daemons, nobody knows which.
    if first.is_some() && shared.is_none() {
        app.origins
            .first_template(settings.kubernetes.as_deref())
            .await?;
    }
    let renewed = tokio::spawn(renew(
        config.clone(),
        data.join("tls"),
        settings.names.clone(),
    ));
    let mut lit = tokio::spawn(lights::keep(
        app.lights.clone(),
        app.store.clone(),
        replica
            .clone()
            .unwrap_or_else(|| LightState::NAME.to_owned()),
        stop.clone(),
    ));
    let watched = settings.watches_clusters.then(|| {
        let (lights, store, asker) = (app.lights.clone(), app.store.clone(), app.asker.clone());
        tokio::spawn(lights::clusters::watch(lights, store, asker))
    });
    let handle = Handle::new();
    let told = stop.clone();
    let work = async move {
        match shared {
            None => duties.alone(told).await,
            Some(shared) => duties.among(shared, told).await,
        }
    };
    let mut done = tokio::spawn(duties::until_over(work, handle.clone()));
    let ending = handle.clone();
    tokio::spawn(async move {
        // A sender that is gone tells to stop as well.
        let _ = stop.wait_for(|stop| *stop).await.map(drop);
        ending.graceful_shutdown(Some(LAST));
    });
    ready(Serving {
        address,
        authority: tls.authority,
        broker,
        replica,
        first,
    });
    let service = api::router(app).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum_server::from_tcp_rustls(listener, config).map_err(failed)?;
    let served = server.handle(handle).serve(service).await;
    // Its part of the store is given back then.
    let over = tokio::time::timeout(HANDOVER, &mut done).await;
    if over.is_err() {
        done.abort();
        let _ = done.await;
    }
    // What the lights show is written down once more.
    if tokio::time::timeout(LAST, &mut lit).await.is_err() {
        lit.abort();
        let _ = lit.await;
    }
    for task in std::iter::once(renewed).chain(watched) {
        task.abort();
        let _ = task.await;
    }
    if let Ok(Ok(Err(lost))) = over {
        return Err(lost.into());
    }
    served.map_err(failed)
}

/// Sees to it that the certificate never ends: the one that is made in time is shown to new connections. The broker
/// shows it from the next start.
async fn renew(config: RustlsConfig, folder: PathBuf, names: Vec<String>) {
    loop {
        tokio::time::sleep(DAY).await;
        let holder = holder(&names).to_owned();
        let (folder, names) = (folder.clone(), names.clone());
        let made = tokio::task::spawn_blocking(move || tls::ensure(&folder, &holder, &names)).await;
        let done = match made {
            Ok(Ok(tls)) => config
                .reload_from_pem_file(&tls.certificate, &tls.key)
                .await
                .map_err(|e| e.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = done {
            tracing::error!("the certificate can't be renewed: {error}");
        }
    }
}

fn holder(names: &[String]) -> &str {
    names.first().map_or("bramble", String::as_str)
}
